r"""The program of a job on an image without Seatrial: a POSIX shell script for exactly one container task.

`launcher` takes the same specification as `seatrial.execute.job` and writes a script that needs ``sh``, ``awk`` and
the usual small tools (``cat cp mkdir mkfifo tail tee``), and neither Python nor Seatrial. Everything that is known when
the pipeline is compiled is written into it; at run time it reads values of earlier jobs (JSON, with an awk program),
fills them into the command, runs it, and writes values and artifacts as `job` does: ``outputs.json`` and parcels.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from importlib import resources
from typing import Any

from seatrial.document import placeholders, read_text, values
from seatrial.document.model import Component, Constant, Container, FromInput, Graph, ParameterSource, Task
from seatrial.errors import DocumentError
from seatrial.execute.job import MESSAGE_LIMIT

Json = Any


def launcher(specification: Mapping[str, Json]) -> str:
    """The script that runs a job of one container task on any image.

    Args:
        specification: as for ``python -m seatrial.execute --job``; its document holds one container task.

    Raises:
        DocumentError: the task needs something that only Seatrial could do for it; every reason is told.
    """
    return _Script(specification).text()


class _Script:
    def __init__(self, specification: Mapping[str, Json]) -> None:
        self._spec = specification
        self._document = read_text(json.dumps(specification["document"]), "the job's part")
        graph = self._document.root.implementation
        assert isinstance(graph, Graph)
        self._problems: list[str] = []
        tasks = list(graph.tasks.values())
        found = [self._document.components[t.component].implementation for t in tasks]
        if len(tasks) != 1 or not isinstance(found[0], Container) or tasks[0].loop or tasks[0].condition:
            raise self._error(["it has more than one container task"])
        self._task: Task = tasks[0]
        self._component: Component = self._document.components[self._task.component]
        self._container: Container = found[0]
        self._graph = graph
        self._lines: list[str] = []
        self._texts: dict[str, str] = {}
        """Placeholder -> how the shell writes its text."""
        self._maybe: set[str] = set()
        """Inputs of which only the run knows whether they have a value."""
        self._given: set[str] = set()

    def text(self) -> str:
        self._parameters()
        self._artifacts()
        self._outputs()
        self._run()
        if self._problems:
            raise self._error(self._problems)
        header = f"# job {self._spec.get('job', '')}: task {self._task.name}, written by seatrial compile\n"
        functions = resources.files("seatrial.execute").joinpath("launcher.sh").read_text(encoding="utf-8")
        settings = {
            "FAILURE": str(self._spec.get("failure", "")),
            "TASK": self._task.display_name,
            "MESSAGE_LIMIT": str(MESSAGE_LIMIT),
        }
        assigned = "".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items())
        return f"#!/bin/sh\n{header}{assigned}{functions}\n" + "\n".join(self._lines) + "\n"

    def _error(self, problems: list[str]) -> DocumentError:
        shown = "\n".join(f"  {p}" for p in problems)
        return DocumentError(
            f"job '{self._spec.get('job', '')}' cannot run on an image without Seatrial:\n{shown}",
            why="There, a shell script stands for Seatrial, and it can do only so much.",
            todo="Pass --image with one that holds Seatrial and what the task needs.",
        )

    # what goes in

    def _parameters(self) -> None:
        self._lines += ["VALUES=''"]
        # those that are put together from others come last
        later = {n for n, s in self._task.parameters.items() if placeholders.names(getattr(s.origin, "value", None))}
        ordered = sorted(self._task.parameters, key=lambda name: name in later)
        for number, name in enumerate(ordered):
            self._parameter(name, self._task.parameters[name], f"P{number}")

    def _parameter(self, name: str, source: ParameterSource, variable: str) -> None:
        spec = self._component.input_parameters.get(name)
        kind = spec.type if spec is not None else "STRING"
        origin = source.origin
        if isinstance(origin, Constant) and not placeholders.names(origin.value):
            self._constant(name, values.cast(origin.value, kind), variable)
            return
        if isinstance(origin, Constant):
            if not isinstance(origin.value, str) or kind != "STRING":
                self._problems.append(f"input '{name}' is put together from others, and is no text")
                return
            self._lines.append(f"{variable}={self._word(origin.value)}")
        elif isinstance(origin, FromInput):
            reference = self._spec.get("parameters", {}).get(origin.name)
            if reference is None:
                default = self._document.root.input_parameters[origin.name].default
                self._constant(name, None if default is None else values.cast(default, kind), variable)
                return
            if "value" in reference and source.path is None:
                value = reference["value"]
                self._constant(name, None if value is None else values.cast(value, kind), variable)
                return
            if not self._read(name, reference, variable, source.path):
                return
        else:
            self._problems.append(f"input '{name}' says how another task ended")
            return
        self._texts[f"inputs.parameters['{name}']"] = f'"${variable}"'
        self._given.add(name)
        self._lines.append(f'has {variable} && give {shlex.quote(json.dumps(name))} {kind} "${variable}"')

    def _constant(self, name: str, value: Json, variable: str) -> None:
        if value is None:
            return
        self._given.add(name)
        self._texts[f"inputs.parameters['{name}']"] = f'"${variable}"'
        self._lines.append(f"{variable}={shlex.quote(values.as_text(value))}")
        self._lines.append(f"give_raw {shlex.quote(json.dumps(name))} {shlex.quote(json.dumps(value))}")

    def _read(
        self, name: str, reference: Mapping[str, Json], variable: str, path: tuple[str | int, ...] | None
    ) -> bool:
        """Lines that set a variable to a value's text, or leave it unset."""
        if "all" in reference:
            self._problems.append(f"input '{name}' is a list of outputs of several jobs")
            return False
        options = reference.get("first", [reference])
        self._lines.append(f"unset {variable}")
        for option in options:
            if "environment" in option:
                found = f'"${{{option["environment"]}?}}"'
                line = f"{variable}={found}"
                if "absent" in option:
                    self._maybe.add(name)
                    line = f"[ {found} = {shlex.quote(option['absent'])} ] || {line}"
            elif "file" in option:
                file, key = shlex.quote(option["file"]), shlex.quote(json.dumps(option["name"]))
                line = f"[ ! -e {file} ] || read_value {variable} {file} {key}"
            else:
                line = f"{variable}={shlex.quote(values.as_text(option['value']))}"
            self._lines.append(f"has {variable} || {{ {line}; }}")
        if path is not None:
            keys = " ".join(shlex.quote(json.dumps(part)) for part in path)
            self._lines.append(f"pick {variable} {keys}")
        return True

    def _artifacts(self) -> None:
        self._lines += ["ARTIFACTS=''"]
        for number, (name, source) in enumerate(self._task.artifacts.items()):
            slot = self._component.input_artifacts[name]
            if slot.many:
                self._problems.append(f"input '{name}' is a list of artifacts")
                continue
            if not isinstance(source, FromInput):
                continue
            places = self._spec.get("artifacts", {}).get(source.name, [])
            if not all(isinstance(place, str) for place in places):
                self._problems.append(f"input '{name}' is not a folder that a job wrote")
                continue
            if not places:
                continue
            variable = f"A{number}"
            folders = " ".join(shlex.quote(place) for place in places)
            head = json.dumps(name)
            schema = json.dumps({"schemaTitle": slot.schema, "schemaVersion": "0.0.1"})
            self._lines.append(f"take {variable} {shlex.quote(head)} {shlex.quote(schema)} {folders}")
            self._given.add(name)
            for field, text in (("uri", f"${variable}"), ("path", f"${variable}"), ("name", f"${variable}_NAME")):
                self._texts[f"inputs.artifacts['{name}'].{field}"] = f'"{text}"'
            self._texts[f"inputs.artifacts['{name}'].metadata"] = f'"${variable}_METADATA"'

    # what comes out

    def _outputs(self) -> None:
        parameters, artifacts = [], []
        for name in self._component.output_parameters:
            place = f"$WORK/parameters/{_file(name)}"
            self._texts[f"outputs.parameters['{name}'].output_file"] = f'"{place}"'
            parameters.append(f'{json.dumps(name)}: {{"outputFile": "{place}"}}')
        for name, slot in self._component.output_artifacts.items():
            place = f"$WORK/outputs/{_file(name)}"
            self._texts[f"outputs.artifacts['{name}'].uri"] = f'"{place}"'
            self._texts[f"outputs.artifacts['{name}'].path"] = f'"{place}"'
            entry = {
                "name": name,
                "type": {"schemaTitle": slot.schema, "schemaVersion": "0.0.1"},
                "metadata": dict(slot.metadata),
            }
            artifacts.append(f'{json.dumps(name)}: {{"artifacts": [{json.dumps(entry)[:-1]}, "uri": "{place}"}}]}}')
        self._texts["outputs.output_file"] = '"$WORK/executor_output.json"'
        declared = f'"parameters": {{{", ".join(parameters)}}}, "artifacts": {{{", ".join(artifacts)}}}'
        text = shlex.quote(f'{declared}, "outputFile": "$WORK/executor_output.json"').replace("$WORK", "'\"$WORK\"'")
        self._lines.append(f"OUTPUTS={text}")
        self._lines.append(
            'EXECUTOR_INPUT="{\\"inputs\\": {\\"parameterValues\\": {$VALUES}, \\"artifacts\\": {$ARTIFACTS}},'
            ' \\"outputs\\": {$OUTPUTS}}"'
        )

    def _run(self) -> None:
        for name, value in self._container.env.items():
            self._lines.append(f"export {name}={self._word(value)}")
        words = []
        for word in (*self._container.command, *self._container.args):
            words += [self._word(found) for found in placeholders.words(word, self._present)]
        if not words:
            self._problems.append("it has no command: the image's own entry point is not known here")
        self._lines.append("run " + " ".join(words))
        outputs = self._spec["outputs"]
        if "parameters" in outputs:
            self._lines.append(f"VALUES_FILE={shlex.quote(outputs['parameters'])}")
            self._lines.append("begin_values")
            for name, several in self._graph.parameters.items():
                kind = self._component.output_parameters[several[0].key].type
                key = json.dumps(several[0].key)
                file = f'"$WORK"/parameters/{shlex.quote(_file(several[0].key))}'
                self._lines.append(f"keep_value {shlex.quote(json.dumps(name))} {shlex.quote(key)} {kind} {file}")
            self._lines.append("end_values")
        for name, several in self._graph.artifacts.items():
            folder, key = outputs["artifacts"][name], several[0].key
            slot = self._component.output_artifacts[key]
            file = f'"$WORK"/outputs/{shlex.quote(_file(key))}'
            words = [shlex.quote(w) for w in (folder, json.dumps(key), json.dumps(slot.schema))]
            metadata = shlex.quote(json.dumps(dict(slot.metadata)))
            self._lines.append(f"keep_artifact {' '.join(words)} {metadata} {file}")

    def _present(self, name: str) -> bool:
        if name in self._maybe:
            self._problems.append(f"its command depends on whether '{name}' was given, which only the run knows")
        return name in self._given

    def _word(self, text: str) -> str:
        """One word of a command as the shell writes it, variables for what only the run knows."""
        parts: list[str] = []
        rest = text
        while rest:
            start = rest.find("{{$")
            end = rest.find("}}", start)
            if start < 0 or end < 0:
                parts.append(shlex.quote(rest))
                break
            if start:
                parts.append(shlex.quote(rest[:start]))
            parts.append(self._placeholder(rest[start + 3 : end].removeprefix(".")))
            rest = rest[end + 2 :]
        return "".join(parts) or "''"

    def _placeholder(self, name: str) -> str:
        if not name:
            return '"$EXECUTOR_INPUT"'
        if name == "pipeline_task_name":
            return shlex.quote(self._task.name)
        plain = name.replace('"', "'")
        if plain in self._texts:
            return self._texts[plain]
        facts = self._spec.get("facts", {})
        if name in facts:
            return shlex.quote(values.as_text(facts[name]))
        self._problems.append(f"placeholder {{{{$.{name}}}}} has no value that a script could find")
        return "''"


def _file(name: str) -> str:
    """A file name that means nothing to a shell or to JSON."""
    return "".join(c if (c.isalnum() and c.isascii()) or c in "-_" else f".{ord(c):x}." for c in name)
