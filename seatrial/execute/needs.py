"""What a document needs of this machine, found out before anything starts.

Packages of embedded functions, programs of commands, secrets and volumes of Kubernetes, buckets of importers: what is
missing is told at once, each with its task. A part of a document that no task reaches needs nothing.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from seatrial.document import placeholders
from seatrial.document.model import Component, Constant, Container, Document, FromInput, Graph, Importer, Task
from seatrial.errors import ResourceError, SeatrialError
from seatrial.execute import kubernetes, packages, program
from seatrial.execute.exchange import local_path
from seatrial.execute.importing import Buckets

Json = Any
FACTS = frozenset(
    {
        "pipeline_job_name",
        "pipeline_job_resource_name",
        "pipeline_job_uuid",
        "pipeline_job_create_time_utc",
        "pipeline_job_schedule_time_utc",
        "pipeline_root",
        "pipeline_task_name",
        "pipeline_task_uuid",
        "workspace_path",
    }
)
"""Placeholders that every run can fill, besides a task's own inputs and outputs."""

_PYTHON = re.compile(r"^python3?(\.\d+)?$")
_CLOUD_CLIENTS = frozenset({"aws", "az", "bq", "gcloud", "gsutil"})
_SHELLS = ("sh", "bash", "/bin/sh", "/bin/bash")
# a script with any of these may call a program or not
_NOT_PLAIN = re.compile(r"\|\||<<|[`(){}]|^\s*(if|for|while|until|case|function)\b", re.MULTILINE)
_BUILT_IN = re.compile(
    r"\.|:|_|\[\[?|alias|bg|cd|command|echo|eval|exec|exit|export|false|fg|getopts|hash|jobs|kill|local|printf|pwd|read"
    r"|readonly|return|set|shift|source|test|times|trap|true|type|ulimit|umask|unalias|unset|wait"
)


@dataclass(frozen=True)
class Abilities:
    """What this machine has."""

    root: Path
    """Working folder of commands."""
    path: str
    """Where programs are looked for, as in ``PATH``."""
    buckets: Buckets | None
    """Looks up what importers name in buckets."""
    engine: str | None
    """The container engine that commands run in."""


@dataclass
class _Findings:
    problems: dict[str, None] = field(default_factory=dict)
    requirements: dict[str, list[str]] = field(default_factory=dict)
    remedies: dict[str, None] = field(default_factory=dict)

    def add(self, path: str, what: str) -> None:
        self.problems[f"task '{path}': {what}"] = None


def check(document: Document, arguments: Mapping[str, Json], has: Abilities) -> None:
    """Raise for everything that is missing.

    Args:
        document: what would run.
        arguments: parameters of the pipeline; they decide what importers read.
        has: what there is.

    Raises:
        ResourceError: names each task and what it lacks.
    """
    findings = _Findings()
    for problem in kubernetes.pipeline_problems(document.platforms):
        findings.problems[problem] = None
    for name, spec in document.root.input_parameters.items():
        if spec.type == "TASK_FINAL_STATUS" and arguments.get(name) is None:
            findings.problems[f"parameter '{name}' is how another task ended; only an exit handler gives it"] = None
    seen: set[str] = set()
    for path, task, component, known in _leaves(document, arguments):
        if isinstance(component.implementation, Importer):
            _check_importer(findings, path, task, component.implementation, known, has)
        elif component.name not in seen and isinstance(component.implementation, Container):
            seen.add(component.name)
            _check_container(findings, path, component, document, has)
        for name, source in task.parameters.items():
            if isinstance(source.origin, Constant):
                _check_placeholders(findings, f"{path}.{name}", source.origin.value, None)
    missing = packages.missing(findings.requirements)
    findings.problems.update(dict.fromkeys(missing))
    if findings.problems:
        raise _refusal(document.name, list(findings.problems), list(missing.values()), list(findings.remedies))


def _refusal(name: str, problems: list[str], install: list[str], remedies: list[str]) -> ResourceError:
    todo = list(remedies)
    wanted = [requirement for requirement in install if requirement]
    if wanted:
        todo.append(f"Install: pip install {' '.join(shlex.quote(requirement) for requirement in wanted)}")
    if len(todo) < len(problems):
        todo.append("Run the pipeline where the rest is, or remove it from the pipeline.")
    listed = "\n".join(f"  {problem}" for problem in problems)
    return ResourceError(
        f"pipeline '{name}' cannot run on this machine:\n{listed}",
        why="What a run needs is checked before it starts; nothing has run.",
        todo=" ".join(todo),
    )


def _leaves(
    document: Document, arguments: Mapping[str, Json]
) -> Iterator[tuple[str, Task, Component, Mapping[str, Json]]]:
    """Every container and importer below the root, with the parameters that are known before the run."""
    root = document.root
    assert isinstance(root.implementation, Graph)
    stack = [("", root.implementation, _known_inputs(root, arguments))]
    visited: set[str] = set()
    while stack:
        prefix, graph, outside = stack.pop()
        for task in graph.tasks.values():
            component = document.components[task.component]
            given: dict[str, Json] = {}
            for name, source in task.parameters.items():
                origin = source.origin
                if source.path is not None:
                    continue
                if isinstance(origin, FromInput) and origin.name in outside:
                    given[name] = outside[origin.name]
                elif isinstance(origin, Constant) and not placeholders.names(origin.value):
                    given[name] = origin.value
            known = _known_inputs(component, given, unknown=frozenset(task.parameters))
            path = f"{prefix}{task.name}"
            if isinstance(component.implementation, Graph):
                once = json.dumps([component.name, known], sort_keys=True, default=str)
                if once not in visited:
                    visited.add(once)
                    stack.append((f"{path}.", component.implementation, known))
            else:
                yield path, task, component, known


def _known_inputs(
    component: Component, given: Mapping[str, Json], unknown: frozenset[str] = frozenset()
) -> dict[str, Json]:
    known = {
        n: p.default for n, p in component.input_parameters.items() if p.has_default and n not in unknown | set(given)
    }
    return {**known, **{n: v for n, v in given.items() if v is not None}}


def _check_importer(
    findings: _Findings,
    path: str,
    task: Task,
    importer: Importer,
    known: Mapping[str, Json],
    has: Abilities,
) -> None:
    uri = importer.uri.value if isinstance(importer.uri, Constant) else known.get(importer.uri.name)
    if not isinstance(uri, str) or placeholders.names(uri):
        return  # known when it runs
    place = local_path(uri)
    if place is not None:
        if not place.exists():
            findings.add(path, f"imports {uri}, which is not there")
        return
    if not (importer.to_workspace or task.read):
        return
    if has.buckets is None:
        findings.add(path, f"imports {uri}, and no access to {uri.partition('://')[0]}:// is configured here")
        return
    try:
        has.buckets(uri)
    except SeatrialError as exc:
        findings.add(path, f"imports {uri}: {exc.what}")
        findings.remedies[exc.todo] = None


def _check_container(findings: _Findings, path: str, component: Component, document: Document, has: Abilities) -> None:
    container = component.implementation
    assert isinstance(container, Container)
    for problem in kubernetes.problems(document.platforms, component.executor):
        findings.add(path, problem)
    runs = program.of(container)
    words = runs.words if isinstance(runs, program.Command) else ()
    _check_placeholders(findings, path, words, component)
    _check_placeholders(findings, path, [*container.env.values(), *asdict(container.resources).values()], None)
    if isinstance(runs, program.Own):
        return
    if isinstance(runs, program.Embedded):
        _check_embedded(findings, path, runs)
    elif has.engine is None:
        _check_command(findings, path, container, runs, has)
    if isinstance(runs, program.Embedded) or has.engine is None:
        for requirement in runs.requirements:
            findings.requirements.setdefault(requirement, []).append(path)


def _check_embedded(findings: _Findings, path: str, runs: program.Embedded) -> None:
    if importlib.util.find_spec("kfp") is None:
        findings.requirements.setdefault("kfp", []).append(path)
    try:
        tree = ast.parse(runs.source)
    except (SyntaxError, ValueError) as exc:
        findings.add(path, f"its embedded source is not Python {exc.msg if isinstance(exc, SyntaxError) else exc}")
        return
    if not any(isinstance(node, ast.FunctionDef) and node.name == runs.function for node in tree.body):
        findings.add(path, f"its embedded source has no function '{runs.function}'")


def _check_command(findings: _Findings, path: str, container: Container, runs: program.Command, has: Abilities) -> None:
    image = f"image {container.image}"
    if not runs.command:
        findings.add(path, f"has no command, and the entry point of {image} is not known without a container engine")
        return
    if runs.installs:
        findings.add(path, f"installs software before it runs; outside {image} that would change this machine")
    first, *rest = runs.words
    if first.startswith("{") or "{{$" in first:
        return  # decided by an input
    if _PYTHON.match(first):
        _check_python(findings, path, rest, image, has)
    elif first in _CLOUD_CLIENTS:
        findings.add(path, f"its program is '{first}' of {image}, and tasks get no credentials here")
    elif first not in _SHELLS:
        if not _there(first, has):
            findings.add(path, f"its program '{first}' is part of {image} and not on this machine")
    elif rest and not rest[0].startswith("-"):
        if "{{$" not in rest[0] and not (has.root / rest[0]).is_file():
            findings.add(path, f"its script '{rest[0]}' is part of {image} and not on this machine")
    elif len(rest) > 1 and rest[0].endswith("c"):
        for name in _called(rest[1]):
            if name in _CLOUD_CLIENTS:
                findings.add(path, f"its script calls '{name}' of {image}, and tasks get no credentials here")
            elif not _there(name, has):
                findings.add(path, f"its script calls '{name}', which is part of {image} and not on this machine")


def _check_python(findings: _Findings, path: str, rest: list[str], image: str, has: Abilities) -> None:
    options = [word for word in rest if word not in ("-u", "-B", "-I", "-s", "-E", "-O")]
    if options[:2] in (["-m", "kfp.dsl.executor_main"], ["-m", "kfp.components.executor_main"]):
        if not any(word.startswith("--component_module_path") for word in options):
            findings.add(path, f"its function is part of {image} and not in the document")
    elif options[:1] == ["-m"] and len(options) > 1 and "{{$" not in options[1]:
        top = options[1].partition(".")[0]
        local = (has.root / top).exists() or (has.root / f"{top}.py").exists()
        if not local and importlib.util.find_spec(top) is None:
            findings.add(path, f"its Python module '{options[1]}' is part of {image} and not on this machine")
    elif options and not options[0].startswith("-") and not ("{{$" in options[0] or (has.root / options[0]).is_file()):
        findings.add(path, f"its script '{options[0]}' is part of {image} and not on this machine")


def _check_placeholders(findings: _Findings, path: str, value: Json, component: Component | None) -> None:
    for text in sorted(placeholders.names(value)):
        if component is not None and placeholders.is_input_or_output(text):
            if not placeholders.exists(text, component):
                findings.add(path, f"its command names {{{{$.{text}}}}}, which it does not have")
        elif text not in FACTS and not placeholders.is_input_or_output(text) and text != "outputs.output_file":
            findings.add(path, f"uses {{{{$.{text}}}}}, which only another platform can fill")


def _there(name: str, has: Abilities) -> bool:
    if "/" in name:
        return (has.root / name).exists()  # an absolute path stands for itself
    return shutil.which(name, path=has.path) is not None


def _called(script: str) -> list[str]:
    """Programs that a plain script calls in any case; none are named for a script with branches or functions."""
    plain = re.sub(r"\{\{\$[^{}]*\}\}", "_", script)
    plain = re.sub(r"\$\([^()]*\)", "_", plain)
    if _NOT_PLAIN.search(plain):
        return []
    found: dict[str, None] = {}
    for line in plain.splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        try:
            tokens = list(lexer)
        except ValueError:
            return []  # a quoted text goes over several lines
        begins = True
        for token in tokens:
            if token in ("|", "&&", ";", "&"):
                begins = True
            elif begins and not re.match(r"\w+=", token):
                begins = False
                if re.fullmatch(r"[\w.+-]+", token) and not _BUILT_IN.fullmatch(token):
                    found[token] = None
    return list(found)
