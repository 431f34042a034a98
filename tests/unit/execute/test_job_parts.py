"""All jobs of a plan, run one after the other, mean what the whole document means.

No process is started: a made-up leaf gives outputs that depend on everything that it is given, so one wrong, missing or
swapped value anywhere changes what comes after it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import random
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.document import expression, read_text, values
from seatrial.document.fused import PACKED, fused_document
from seatrial.document.model import Constant, Container, Document, Importer, Task
from seatrial.document.plan import (
    FirstOf,
    Gathered,
    Job,
    JobOutput,
    JobParameter,
    Node,
    PipelineParameter,
    Plan,
    plan,
)
from seatrial.errors import DocumentError
from seatrial.execute import vertex
from seatrial.execute.cache import Stored
from seatrial.execute.graph import Call, Interpreter, State, Values

Json = Any
FACTS = {"pipeline_job_name": "p-1", "pipeline_job_resource_name": "p-1", "pipeline_job_uuid": "1"}


class Made:
    """Outputs made of everything that goes in."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def __call__(self, call: Call) -> Values:
        await asyncio.sleep(0)
        given = {
            "component": call.component.name,
            "parameters": call.inputs.parameters,
            "artifacts": {k: [a.digest for a in v] for k, v in call.inputs.artifacts.items()},
        }
        text = json.dumps(given, sort_keys=True)
        self.calls.append(text)
        seed = int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)
        kinds = {
            "STRING": ("heads", "tails", "draw")[seed % 3],
            "NUMBER_INTEGER": seed % 5,
            "NUMBER_DOUBLE": seed % 100 / 8,
            "BOOLEAN": bool(seed % 2),
            "LIST": [seed % 3, seed % 5],
            "STRUCT": {"a": seed % 3, "b": ["x", str(seed % 7)]},
        }
        outputs = Values({k: kinds[p.type] for k, p in call.component.output_parameters.items()})
        for name in call.component.output_artifacts:
            digest = hashlib.sha256(f"{text}{name}".encode()).hexdigest()
            if isinstance(call.component.implementation, Importer):
                digest = str(call.component.implementation.uri)
            outputs.artifacts[name] = [Stored(name, "system.Artifact", f"/{digest}", {}, digest)]
        return outputs

    def not_run(self, path: str, task: Task, state: State) -> None:
        """Nothing to note."""


def whole(document: Document, arguments: Mapping[str, Json]) -> tuple[list[str], Values]:
    leaf = Made()
    outputs = asyncio.run(Interpreter(document, leaf, leaf, FACTS).run(arguments))
    return sorted(leaf.calls), outputs


class Service:
    """What a cloud's pipeline service does with a plan."""

    def __init__(self, arguments: Mapping[str, Json]) -> None:
        self.leaf = Made()
        self.arguments = arguments
        self.given: dict[str, Values] = {}
        self.ended: set[str] = set()

    def run(self, nodes: tuple[Node, ...]) -> None:
        for node in nodes:
            if isinstance(node, Job):
                self.job(node)
            else:
                operands = {}
                for name, operand in node.operands.items():
                    value = self.parameter(operand.source)
                    value = value if operand.path is None else values.select(value, operand.path)
                    operands[name] = values.cast(value, operand.type)
                self.run(node.then if expression.evaluate(node.condition, operands) else node.otherwise)
            self.ended.add(node.name)

    def job(self, job: Job) -> None:
        assert set(job.after) <= self.ended, f"{job.name} starts before {job.after}"
        document = read_text(json.dumps(dict(job.document)))
        assert set(document.root.input_parameters) == set(job.parameters)
        assert set(document.root.input_artifacts) == set(job.artifacts)
        parameters = {name: self.parameter(value) for name, value in job.parameters.items()}
        artifacts = {}
        for name, several in job.artifacts.items():
            found = [a for a in (self.artifact(output) for output in several) if a is not None]
            many = document.root.input_artifacts[name].many
            if found:
                artifacts[name] = [a for one in found for a in one] if many else found[0]
        interpreter = Interpreter(document, self.leaf, self.leaf, FACTS)
        given = {k: v for k, v in parameters.items() if v is not None}
        self.given[job.name] = asyncio.run(interpreter.run(given, artifacts))

    def parameter(self, value: JobParameter) -> Json:
        if isinstance(value, PipelineParameter):
            return self.arguments.get(value.name)
        if isinstance(value, Constant):
            return value.value
        if isinstance(value, JobOutput):
            assert value.job in self.ended or value.job not in self.given
            return self.given.get(value.job, Values()).parameters.get(value.name)
        found = [v for v in map(self.parameter, value.outputs) if v is not None]
        return found if isinstance(value, Gathered) else next(iter(found), None)

    def artifact(self, output: JobOutput) -> list[Stored] | None:
        return self.given.get(output.job, Values()).artifacts.get(output.name)

    def outputs(self, planned: Plan) -> tuple[dict[str, Json], dict[str, list[str]]]:
        parameters = {name: self.parameter(value) for name, value in planned.parameters.items()}
        artifacts = {}
        for name, several in planned.artifacts.items():
            found = [a for a in (self.artifact(output) for output in several) if a is not None]
            artifacts[name] = [a.digest for one in found for a in one]
        return {k: v for k, v in parameters.items() if v is not None}, {k: v for k, v in artifacts.items() if v}


def means_the_same(document: Document, arguments: Mapping[str, Json], **options: Any) -> Plan:
    calls, outputs = whole(document, arguments)
    planned = plan(document, **options)
    service = Service({n: p.default for n, p in document.root.input_parameters.items()} | dict(arguments))
    service.run(planned.nodes)
    assert sorted(service.leaf.calls) == calls
    found = service.outputs(planned)
    assert found[0] == {k: v for k, v in outputs.parameters.items() if v is not None}
    assert found[1] == {k: [a.digest for a in v] for k, v in outputs.artifacts.items() if v}
    acyclic(planned)
    return planned


def acyclic(planned: Plan) -> None:
    done: set[str] = set()
    for job in planned.jobs():
        assert job.upstream() - {c for c in job.after if c not in {j.name for j in planned.jobs()}} <= done
        done.add(job.name)


# documents, made up

IMAGES = ("registry/one@sha256:1", "registry/two@sha256:2")
KINDS = ("STRING", "NUMBER_INTEGER", "LIST", "STRUCT")


class Maker:
    """Draws a document: tasks with data between them, loops, conditions, nested pipelines, hints, images."""

    def __init__(self, seed: int, images: int, *, dynamic: bool) -> None:
        self.random = random.Random(seed)
        self.images = images
        self.dynamic = dynamic
        self.components: dict[str, Json] = {}
        self.executors: dict[str, Json] = {}
        self.count = 0
        self.kinds: dict[str, dict[str, str]] = {}
        self.last: dict[str, str] = {}

    def pick(self, *options: Any) -> Any:
        return self.random.choice(options)

    def document(self) -> str:
        tasks, outputs, definitions = self.graph({"n": "NUMBER_INTEGER", "s": "STRING"}, 0)
        return json.dumps(
            {
                "pipelineInfo": {"name": "made"},
                "schemaVersion": "2.1.0",
                "deploymentSpec": {"executors": self.executors},
                "components": self.components,
                "root": {
                    "inputDefinitions": {
                        "parameters": {"n": {"parameterType": "NUMBER_INTEGER"}, "s": {"parameterType": "STRING"}}
                    },
                    "outputDefinitions": definitions,
                    "dag": {"tasks": tasks, "outputs": outputs},
                },
            }
        )

    def graph(self, inputs: dict[str, str], depth: int) -> tuple[dict[str, Json], Json, Json]:
        tasks: dict[str, Json] = {}
        ends: dict[str, dict[str, str]] = {}
        for _ in range(self.random.randint(1, 4 if depth == 0 else 2)):
            self.count += 1
            shape = self.pick("leaf", "leaf", "leaf", *(("loop", "nested", "if") if depth < 2 else ()))
            name = f"{shape}-{self.count}"
            before = self.pick(None, *ends)
            table: dict[str, Json] = {"taskInfo": {"name": name}, "dependentTasks": [before] if before else []}
            available = self.available(inputs, ends)
            if shape == "leaf":
                ends[name] = self.leaf(name, table, available)
            else:
                ended = self.inside(name, shape, table, available, depth)
                if shape != "if":
                    ends[name] = ended
            tasks[name] = table
        several = "ARTIFACTS"  # a list is not given on: nested lists of artifacts are flattened, and nobody needs them
        results = {
            f"{t}-{k}": (t, k, kind) for t, found in ends.items() for k, kind in found.items() if kind != several
        }
        chosen = {k: results[k] for k in sorted(results) if self.pick(True, False)}
        parameters = {k: v for k, v in chosen.items() if v[2] != "ARTIFACT"}
        artifacts = {k: v for k, v in chosen.items() if v[2] == "ARTIFACT"}
        outputs = {
            "parameters": {
                k: {"valueFromParameter": {"producerSubtask": t, "outputParameterKey": key}}
                for k, (t, key, _) in parameters.items()
            },
            "artifacts": {
                k: {"artifactSelectors": [{"producerSubtask": t, "outputArtifactKey": key}]}
                for k, (t, key, _) in artifacts.items()
            },
        }
        definitions = {
            "parameters": {
                k: {"parameterType": "LIST" if kind == "LISTS" else kind} for k, (_, _, kind) in parameters.items()
            },
            "artifacts": {k: {"artifactType": {"schemaTitle": "system.Artifact"}} for k in artifacts},
        }
        self.last = {k: kind for k, (_, _, kind) in parameters.items()}
        return tasks, outputs, definitions

    def available(self, inputs: dict[str, str], ends: dict[str, dict[str, str]]) -> dict[str, list[Json]]:
        found: dict[str, list[Json]] = {kind: [] for kind in (*KINDS, "ARTIFACT", "ARTIFACTS", "LISTS")}
        for name, kind in inputs.items():
            found[kind].append({"componentInputParameter": name})
        for task, outputs in ends.items():
            for key, kind in outputs.items():
                if kind in ("ARTIFACT", "ARTIFACTS"):
                    output = {"producerTask": task, "outputArtifactKey": key}
                    found[kind].append({"taskOutputArtifact": output})
                else:
                    found[kind].append({"taskOutputParameter": {"producerTask": task, "outputParameterKey": key}})
        return found

    def parameter(self, kind: str, available: dict[str, list[Json]]) -> Json:
        constants = {"STRING": "it's", "NUMBER_INTEGER": 3.0, "LIST": [1.0, 2.0], "STRUCT": {"a": 1.0, "b": ["q"]}}
        options = [*available[kind], {"runtimeValue": {"constant": constants[kind]}}]
        if kind == "NUMBER_INTEGER":
            options += [
                {**s, "parameterExpressionSelector": 'parseJson(string_value)["a"]'} for s in available["STRUCT"]
            ]
        return self.random.choice(options)

    def leaf(self, name: str, table: Json, available: dict[str, list[Json]]) -> dict[str, str]:
        kinds = {f"in-{kind}": kind for kind in KINDS if self.pick(True, False)}
        parameters = {key: self.parameter(kind, available) for key, kind in kinds.items()}
        if "in-STRING" in parameters and self.pick(True, False) and available["STRING"]:
            parameters["extra"] = self.pick(*available["STRING"])
            text = "<{{$.inputs.parameters['extra']}}>"
            parameters["in-STRING"] = {"runtimeValue": {"constant": text}}
        artifacts = {"data": self.pick(*available["ARTIFACT"])} if available["ARTIFACT"] else {}
        if available["ARTIFACTS"]:
            artifacts["datas"] = self.pick(*available["ARTIFACTS"])
        if available["LISTS"]:
            kinds["lists"] = "LIST"
            parameters["lists"] = self.pick(*available["LISTS"])
        table["inputs"] = {"parameters": parameters, "artifacts": artifacts}
        table["componentRef"] = {"name": f"comp-{name}"}
        outputs = {f"out-{kind}": kind for kind in KINDS if self.pick(True, False)} | {"file": "ARTIFACT"}
        slot = {"artifactType": {"schemaTitle": "system.Artifact"}}
        self.components[f"comp-{name}"] = {
            "executorLabel": f"exec-{name}",
            "inputDefinitions": {
                "parameters": {k: {"parameterType": kind} for k, kind in kinds.items()},
                "artifacts": {k: {**slot, "isArtifactList": k == "datas"} for k in artifacts},
            },
            "outputDefinitions": {
                "parameters": {k: {"parameterType": kind} for k, kind in outputs.items() if kind != "ARTIFACT"},
                "artifacts": {"file": slot},
            },
        }
        hint = self.pick("", "", "a", "b")
        self.executors[f"exec-{name}"] = {
            "container": {
                "image": self.pick(*IMAGES[: self.images]),
                "command": ["c"],
                "env": [{"name": "SEATRIAL_JOB", "value": hint}] if hint else [],
                "resources": {"resourceCpuLimit": self.pick("1", "2", "8")},
            }
        }
        return outputs

    def inside(
        self, name: str, shape: str, table: Json, available: dict[str, list[Json]], depth: int
    ) -> dict[str, str]:
        wanted = {f"in-{kind}": kind for kind in KINDS if self.pick(True, False)}
        inputs = {key: self.parameter(kind, available) for key, kind in wanted.items()}
        table["inputs"] = {"parameters": inputs}
        table["componentRef"] = {"name": f"comp-{name}"}
        declared = dict(wanted)
        if shape == "loop":
            if self.dynamic and available["LIST"] and self.pick(True, False):
                inputs["items"] = self.pick(*available["LIST"])
                declared["items"] = "LIST"
                source: Json = {"inputParameter": "items"}
            else:
                source = {"raw": json.dumps([1, 2])}
            table["parameterIterator"] = {"items": source, "itemInput": "item"}
            declared["item"] = "NUMBER_INTEGER"
        if shape == "if":
            inputs["asked"] = self.parameter("STRING", available)
            declared["asked"] = "STRING"
            table["triggerPolicy"] = {"condition": "inputs.parameter_values['asked'] != 'heads'"}
        tasks, outputs, definitions = self.graph(declared, depth + 1)
        self.kinds[f"comp-{name}"] = self.last
        if shape == "if":
            outputs, definitions = {}, {}
        self.components[f"comp-{name}"] = {
            "dag": {"tasks": tasks, "outputs": outputs},
            "inputDefinitions": {"parameters": {k: {"parameterType": kind} for k, kind in declared.items()}},
            "outputDefinitions": definitions,
        }
        found = {k: self.kinds[f"comp-{name}"][k] for k in definitions.get("parameters", {})}
        if shape == "loop":
            return dict.fromkeys(found, "LISTS") | dict.fromkeys(definitions.get("artifacts", {}), "ARTIFACTS")
        return found | dict.fromkeys(definitions.get("artifacts", {}), "ARTIFACT")


@settings(max_examples=200)
@given(st.integers(0, 2**32), st.booleans(), st.integers(1, 2))
def test_the_jobs_together_mean_what_the_document_means(seed: int, fuse: bool, images: int) -> None:
    document = read_text(Maker(seed, images, dynamic=images == 1).document())
    arguments = {"n": 4, "s": ("heads", "tails")[seed % 2]}
    try:
        planned = means_the_same(document, arguments, fuse=fuse, own=IMAGES)
    except DocumentError as exc:
        assert re.search("collected again|it collects outputs of|declares a ", exc.what), exc.what  # what is refused
        return
    assert len({job.name for job in planned.jobs()}) == len(planned.jobs())
    fused_means_the_same(document, planned, arguments)


class Opened(Made):
    """Runs the executors of fused jobs by running their parts."""

    async def __call__(self, call: Call) -> Values:
        container = call.component.implementation
        if not isinstance(container, Container) or container.command != ("python", "-m", "seatrial.execute"):
            return await super().__call__(call)
        part = read_text(base64.b64decode(container.args[1]).decode())
        inputs = vertex.parameters(part, call.inputs.parameters)
        several = call.inputs.artifacts
        artifacts = {
            name: [a for key in vertex.keys(name, several) for a in unpacked(several[key])]
            for name in part.root.input_artifacts
        }
        given = await Interpreter(part, self, self, FACTS).run(inputs, {k: v for k, v in artifacts.items() if v})
        for name, found in given.artifacts.items():
            if part.root.output_artifacts[name].many:
                given.artifacts[name] = [Stored(name, "", "", {PACKED: found}, "packed")]
        return given


def unpacked(several: list[Stored]) -> list[Stored]:
    return [a for one in several for a in one.metadata.get(PACKED, [one])]


def fused_means_the_same(document: Document, planned: Plan, arguments: Mapping[str, Json]) -> None:
    """The new document, its executors opened again, runs the same tasks on the same values."""
    try:
        spec = fused_document(document, planned)
    except DocumentError as exc:
        assert "list of artifacts" in exc.what or "collected" in exc.what
        return
    calls, outputs = whole(document, arguments)
    leaf = Opened()
    found = asyncio.run(Interpreter(read_text(json.dumps(spec)), leaf, leaf, FACTS).run(arguments))
    assert sorted(leaf.calls) == calls
    assert {k: v for k, v in found.parameters.items() if v is not None} == outputs.parameters
    assert {k: [a.digest for a in v] for k, v in found.artifacts.items()} == {
        k: [a.digest for a in v] for k, v in outputs.artifacts.items()
    }


def test_a_swapped_output_is_noticed() -> None:
    """The negative control of this file: the comparison sees one wrong value."""
    document = read_text(two_images())
    planned = plan(document, own=IMAGES)
    jobs = planned.jobs()
    service = Service({})
    service.run(planned.nodes)
    right = sorted(service.leaf.calls)
    assert right == whole(document, {})[0]
    wrong = Service({})
    wrong.job(jobs[0])
    wrong.given[jobs[0].name].parameters = dict.fromkeys(wrong.given[jobs[0].name].parameters, "other")
    wrong.ended.add(jobs[0].name)
    wrong.job(jobs[1])
    assert sorted(wrong.leaf.calls) != right


def two_images() -> str:
    text = {"parameterType": "STRING"}

    def executor(image: str) -> Json:
        return {"container": {"image": image, "command": ["c"]}}

    made = {"taskOutputParameter": {"producerTask": "a", "outputParameterKey": "o"}}
    return json.dumps(
        {
            "pipelineInfo": {"name": "two"},
            "schemaVersion": "2.1.0",
            "deploymentSpec": {"executors": {"exec-a": executor(IMAGES[0]), "exec-b": executor(IMAGES[1])}},
            "components": {
                "comp-a": {"executorLabel": "exec-a", "outputDefinitions": {"parameters": {"o": text}}},
                "comp-b": {"executorLabel": "exec-b", "inputDefinitions": {"parameters": {"i": text}}},
            },
            "root": {
                "dag": {
                    "tasks": {
                        "a": {"componentRef": {"name": "comp-a"}, "taskInfo": {"name": "a"}},
                        "b": {
                            "componentRef": {"name": "comp-b"},
                            "taskInfo": {"name": "b"},
                            "dependentTasks": ["a"],
                            "inputs": {"parameters": {"i": made}},
                        },
                    }
                }
            },
        }
    )


@pytest.mark.parametrize("value", [FirstOf((JobOutput("a", "x"),)), Gathered((JobOutput("a", "x"),))])
def test_outputs_of_jobs_that_did_not_run_are_left_out(value: JobParameter) -> None:
    assert not Service({}).parameter(value)
