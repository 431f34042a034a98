"""What KFP's own test pipelines should do, written by reading their Python sources (never from our results).

Every document has an entry. `calls` lists each task that runs, with its inputs and outputs; the order does not matter,
loops and branches are written out. Where a pipeline flips a coin, `check` says which outcomes fit together.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

Json = Any
ANY = ...
"""Any value."""


@dataclass(frozen=True)
class J:
    """Text that is this JSON value, however it is spaced."""

    value: Json


@dataclass(frozen=True)
class C:
    """A task that runs."""

    name: str
    inputs: Mapping[str, Json] = field(default_factory=dict)
    outputs: Mapping[str, Json] = field(default_factory=dict)
    state: str = "SUCCEEDED"
    said: str = ""
    """What its log contains."""
    metadata: Mapping[str, Json] = field(default_factory=dict)
    times: int = 1


@dataclass(frozen=True)
class Expected:
    """What a document should do."""

    calls: Sequence[C] | None = None
    outputs: Mapping[str, Json] = field(default_factory=dict)
    state: str = "SUCCEEDED"
    check: Callable[[Any], list[str]] | None = None
    arguments: Mapping[str, Json] = field(default_factory=dict)
    """FOLDER in a value is the folder of the run."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Put into that folder before."""
    bucket: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, Json] = field(default_factory=dict)
    shortened: Mapping[str, str] = field(default_factory=dict)
    """Waiting times of the document, replaced in its text."""
    runnable: bool = True
    reason: str = ""
    """In the refusal of a document that cannot run on one machine."""

    @property
    def compares(self) -> bool:
        """Whether every task is compared."""
        return self.calls is not None or self.check is not None

    @property
    def note(self) -> str:
        """What was arranged for this run."""
        return "; ".join(
            text
            for text, there in (
                ("waits shortened", self.shortened),
                ("stand-in for its bucket", self.bucket),
                (f"with {', '.join(f'{k}={v}' for k, v in self.machine.items())}", self.machine),
            )
            if there
        )

    def problems(self, outcome: Any) -> list[str]:
        """How an outcome differs; empty when it is right."""
        found = []
        if outcome.state != self.state:
            found.append(f"the run is {outcome.state}, expected {self.state}: {outcome.reason}")
        if not matches(dict(self.outputs), dict(outcome.outputs)):
            found.append(f"the pipeline gives {outcome.outputs}, expected {dict(self.outputs)}")
        if self.calls is not None:
            found += _compare(self.calls, outcome.tasks)
        if self.check is not None:
            found += self.check(outcome)
        return found


def matches(expected: Json, found: Json) -> bool:
    """Equal, with equal types: 2 is not 2.0 and not True."""
    if expected is ANY:
        return True
    if isinstance(expected, J):
        try:
            return matches(expected.value, json.loads(found) if isinstance(found, str) else found)
        except ValueError:
            return False
    if isinstance(expected, dict) and isinstance(found, dict):
        return expected.keys() == found.keys() and all(matches(v, found[k]) for k, v in expected.items())
    if isinstance(expected, list) and isinstance(found, list):
        return len(expected) == len(found) and all(map(matches, expected, found))
    return type(expected) is type(found) and bool(expected == found)


def _fits(call: C, task: Any) -> bool:
    return (
        call.name == task.name
        and call.state == task.state
        and matches(dict(call.inputs), dict(task.inputs))
        and (call.state == "FAILED" or matches(dict(call.outputs), dict(task.outputs)))
        and call.said in task.said
        and all(matches(v, task.metadata.get(k)) for k, v in call.metadata.items())
    )


def _compare(calls: Sequence[C], tasks: Sequence[Any]) -> list[str]:
    left = list(tasks)
    missing = []
    for call in sorted(calls, key=lambda c: ANY in c.inputs.values()):  # the exact ones choose first
        for _ in range(call.times):
            fitting = next((task for task in left if _fits(call, task)), None)
            if fitting is None:
                missing.append(call)
            else:
                left.remove(fitting)
    problems = [f"expected and did not run: {call}" for call in missing]
    return problems + [
        f"ran and is not expected: {t.path} {t.state} {dict(t.inputs)} -> {dict(t.outputs)}" for t in left
    ]


def _named(outcome: Any, name: str) -> list[Any]:
    return [task for task in outcome.tasks if task.name == name]


def _one_of(*alternatives: Sequence[C]) -> Callable[[Any], list[str]]:
    """Exactly one of several sets of tasks."""

    def check(outcome: Any) -> list[str]:
        differences = [_compare(calls, outcome.tasks) for calls in alternatives]
        return [] if [] in differences else min(differences, key=len)

    return check


def _before(*pairs: tuple[str, str]) -> Callable[[Any], list[str]]:
    """Every task with the first message ends before any with the second begins."""

    def check(outcome: Any) -> list[str]:
        def tasks(message: str) -> list[Any]:
            return [t for t in outcome.tasks if message in t.inputs.values()]

        return [
            f"{second!r} began before {first!r} had ended"
            for first, second in pairs
            if max(t.ended for t in tasks(first)) > min(t.began for t in tasks(second)) + 0.02
        ]

    return check


def out(value: Json) -> dict[str, Json]:
    """The single output of a function."""
    return {"Output": value}


def refused(reason: str) -> Expected:
    """It cannot run on one machine."""
    return Expected(runnable=False, reason=reason)


HELLO = Expected(calls=[C("echo", said="hello world")])
SHAKESPEARE = "gs://ml-pipeline-playground/shakespeare1.txt"
VERTEX_IMAGE = "us-docker.pkg.dev/vertex-ai/prediction/tf2-gpu.2-5:latest"
FOO_CORE = [C("core-comp", {}, {"dataset": "foo"}), C("crust-comp", {"input": "foo"}, {}, said="input:  foo")]
FOO_PARAMETER = [C("core-comp", {}, out("foo")), C("crust-comp", {"input": "foo"}, {}, said="input : foo")]
COLLECTED = [f"{c}-{s}" for s in ("s1", "s2", "s3") for c in "xyz"]
LOOP_DICTS = [{"A_a": "heads", "B_b": ["A", "B"]}, {"A_a": "tails", "B_b": ["X", "Y", "Z"]}]
GENERATED = [{"A_a": "1", "B_b": ["2", "20"]}, {"A_a": "10", "B_b": ["22", "222"]}]
AB = [{"A_a": "1", "B_b": "2"}, {"A_a": "10", "B_b": "20"}]
NAPS = Expected(
    arguments={"naptime_secs": 0},
    calls=[
        C("take-nap", {"naptime_secs": 0}, out("I'm awake now. Did I snore?")),
        C("wake-up", {"message": "I'm awake now. Did I snore?"}, {}, said="I'm awake now. Did I snore?"),
    ],
)
NOTEBOOKS = [
    C("preprocess", {"text": "Hello   world"}, {"dataset": "Hello world"}),
    C("train-model", {"cleaned_text": "Hello world"}, {"model": "HELLO WORLD"}),
    C("evaluate-model", {"model_text": "HELLO WORLD"}, {"metrics": ANY}, metadata={"metrics": {"score": 11.0}}),
]


def _flip_and_print(side: str, then: Sequence[C]) -> list[C]:
    return [C("flip-coin", {}, out(side)), *then]


def _coin_and_number(coin: str, number: str, printer: str, outputs: Mapping[str, str]) -> Callable[[Any], list[str]]:
    """heads: 0-9, above 5 or not; tails: 10-19, above 15 or not; one message that says so."""

    def check(outcome: Any) -> list[str]:
        side = _named(outcome, coin)[0].outputs[outputs["coin"]]
        n = _named(outcome, number)[0].outputs[outputs["number"]]
        limit, range_ = (5, range(10)) if side == "heads" else (15, range(10, 20))
        message = f"{side} and {n} {'>' if n > limit else '<='} {limit}!"
        said = [t.inputs for t in _named(outcome, printer)]
        problems = [] if n in range_ else [f"{n} is not in {range_}"]
        if said != [{"msg": message}] or len(outcome.tasks) != 3:
            problems.append(f"{side}, {n}: printed {said}, expected {message!r} once")
        return problems

    return check


def _conditions(outcome: Any) -> list[str]:
    flips = {t.path.rpartition(".")[2]: t.outputs["Output"] for t in _named(outcome, "flip-coin-op")}
    printed = sorted(t.inputs["msg"] for t in _named(outcome, "print-op"))
    expected = [flips["flip-coin-op"]]
    if flips["flip-coin-op"] == "heads":
        expected += [flips["flip-coin-op-2"], "condition test"]
    wrong_flips = set(flips) != ({"flip-coin-op", "flip-coin-op-2"} if len(expected) > 1 else {"flip-coin-op"})
    return [f"{flips}: printed {printed}"] if wrong_flips or printed != sorted(expected) else []


def _nested_conditions(outcome: Any) -> list[str]:
    flips = {t.path.rpartition(".")[2]: t.outputs["Output"] for t in _named(outcome, "flip-coin-op")}
    names = ["flip-coin-op", "flip-coin-op-2", "flip-coin-op-3"]
    if flips["flip-coin-op-2"] == flips["flip-coin-op-3"]:
        names.append("flip-coin-op-4")
    printed = sorted(t.inputs["msg"] for t in _named(outcome, "print-op"))
    right = sorted(flips) == names and printed == sorted(flips.values())
    return [] if right else [f"{flips}: printed {printed}"]


def _lucky_number(outcome: Any) -> list[str]:
    trials = (1, 2, 3)
    numbers = {}
    for task in _named(outcome, "int-0-to-9999"):
        numbers[int(task.path.split("[")[1].split("]")[0])] = task.outputs["Output"]
    expected = [C("int-0-to-9999", {}, out(numbers[i])) for i in range(len(trials))]
    for i, trial in enumerate(trials):
        n = numbers[i]
        texts = ["Adding drumroll on last trial!"] if trial == 3 else []
        if n != 5000:
            parity = "odd" if n % 2 else "even"
            expected.append(C("is-even-or-odd", {"num": n}, out(parity)))
            texts += [f"Got a {'low' if n < 5000 else 'high'} {parity} number!"] * 2  # said, and repeated
        else:
            texts.append("Announcing: Got the lucky number 5000! A one in 10,000 chance.")
            texts += ["Announcing again: Got the lucky number 5000! A one in 10,000 chance."] * 2
        expected += [C("print-and-return", {"text": text}, out(text)) for text in texts]
    expected.append(C("print-ints", {"ints": [numbers[i] for i in range(len(trials))]}))
    return _compare(expected, outcome.tasks)


def _loops_and_conditions(outcome: Any) -> list[str]:
    side = _named(outcome, "flip-coin-op")[0].outputs["Output"]
    expected = [C("flip-coin-op", {}, out(side)), C("args-generator-op", {}, out(GENERATED), times=2)]
    for item in GENERATED:
        texts: list[Json] = ["hello", *item["B_b"], "1", "2", "1"]
        if side == "heads":
            texts.append(J(item["B_b"]))
        texts += [J(pipeline_item) for pipeline_item in LOOP_DICTS]
        expected += [C("print-text", {"msg": text}) for text in texts]
        expected += [C("print-text", {"msg": J(p), "msg2": inner["A_a"]}) for p in LOOP_DICTS for inner in GENERATED]
    expected += [C("print-text", {"msg": "A"}), C("print-text", {"msg": "B"})]
    return _compare(expected, outcome.tasks)


def _final_status(name: str, state: str, task: str) -> Callable[[Any], list[str]]:
    def check(outcome: Any) -> list[str]:
        status = _named(outcome, name)[0].inputs["status"]
        right = status["state"] == state and status["pipelineTaskName"] == task and status["pipelineJobResourceName"]
        right = right and bool(status["error"].get("message")) == (state == "FAILED")
        return [] if right else [f"{name} was told {status}"]

    return check


def _importers(outcome: Any) -> list[str]:
    found = {t.path: t.metadata["artifact"] for t in outcome.tasks if t.path.startswith("importer")}
    expected = {
        "importer": {"name": ["default-name", "alias-name"], "containerSpec": {"imageUri": VERTEX_IMAGE}},
        "importer-2": {
            "name": "prefix-a-different-name",
            "list-of-data": ["a-different-name", "default-name", 1],
            "a-different-name": "a-different-name",
            "default-name": VERTEX_IMAGE,
            "containerSpec": {"imageUri": VERTEX_IMAGE},
        },
    }
    return [] if matches(expected, found) else [f"importers have {found}"]


def _placeholders(outcome: Any) -> list[str]:
    given = outcome.tasks[0].inputs
    problems = [f"{k} is {v!r}" for k, v in given.items() if not v or "{{" in v]
    if given["task_name"] != "print-all-placeholders":
        problems.append(f"task_name is {given['task_name']}")
    if not given["job_resource_name"].startswith("pipeline-with-placeholders-"):
        problems.append(f"job_resource_name is {given['job_resource_name']}")
    return problems


def _workspace(outcome: Any) -> list[str]:
    wrote, read = (_named(outcome, name)[0] for name in ("write-to-workspace", "read-from-workspace"))
    path = f"{wrote.inputs['workspace_path']}/data/test_file.txt"
    right = wrote.outputs == out(path) and read.inputs == {"file_path": path}
    return [] if right and read.outputs == out("Hello from workspace!") else [f"{wrote}, {read}"]


def _accuracy(times: int) -> Callable[[Any], list[str]]:
    def check(outcome: Any) -> list[str]:
        values = [t.metadata["metrics"].get("accuracy") for t in outcome.tasks]
        right = len(values) == times and all(isinstance(v, int | float) and 0 <= v <= 100 for v in values)
        return [] if right else [f"accuracies are {values}"]

    return check


def _all(*checks: Callable[[Any], list[str]]) -> Callable[[Any], list[str]]:
    return lambda outcome: [problem for check in checks for problem in check(outcome)]


PREPROCESS = {
    "input_dict_parameter": {"A": 1, "B": 2},
    "input_list_parameter": ["a", "b", "c"],
    "message": "hi",
}
PREPROCESSED = {
    "output_dataset_one": "hi",
    "output_dataset_two_path": "hi",
    "output_parameter_path": "hi",
    "output_bool_parameter_path": True,
    "output_dict_parameter_path": {"A": 1, "B": 2},
    "output_list_parameter_path": ["a", "b", "c"],
}
TRAINED_LINE = (
    "dataset_one_contents: hi || dataset_two_contents: hi || message: hi || input_bool: True, type <class 'bool'> || "
    "input_dict: {'A': 1, 'B': 2}, type <class 'dict'> || input_list: ['a', 'b', 'c'], type <class 'list'> \n"
)
LISTS = [{"a": 1, "b": 2}, {"a": 2, "b": 3}, {"a": 3, "b": 4}]

_EXPECTED: dict[str, Expected] = {
    "arguments_parameters": Expected(
        arguments={"param2": "world"},
        calls=[C("echo", {"param1": "hello", "param2": "world"}, said="hello-world")],
    ),
    "artifacts_complex": Expected(
        calls=[
            *(C("double", {"num": n}, {"out_dataset": str(2 * n)}) for n in (1, 2, 3)),
            *(C("double", {"num": n}, {"out_dataset": str(2 * n)}, times=3) for n in (2, 3)),
            C("add", {"in_datasets": ["2", "4", "6"]}, {"out_dataset": "12"}),
            C("add", {"in_datasets": ["4", "6"] * 3}, {"out_dataset": "30"}),
            C("add-two-ints", {"in_dataset1": "12", "in_dataset2": "30"}, {"out_dataset": "42"}),
        ],
        outputs={"sum": "42", "datasets": ["2", "4", "6"]},
    ),
    "artifacts_simple": Expected(
        calls=[
            *(C("double", {"num": n}, {"out_dataset": str(2 * n)}) for n in (1, 2, 3)),
            C("add", {"in_datasets": ["2", "4", "6"]}, {"out_dataset": "12"}),
            C("add-container", {"in_datasets": ["2", "4", "6"]}, {"out_dataset": "12"}),
        ],
        outputs=out(["2", "4", "6"]),
    ),
    "collected_artifacts": Expected(
        calls=[
            C("split-ids", {"model_ids": "s1,s2,s3"}, out(["s1", "s2", "s3"])),
            C("split-chars", {"model_ids": "x,y,z"}, out(["x", "y", "z"])),
            *(C("create-file", {"content": s}, {"file": s}) for s in ("s1", "s2", "s3")),
            *(C("read-single-file", {"file": s}, out(ANY), said=f"\n{s}\n") for s in ("s1", "s2", "s3")),
            *(C("create-dataset", {"content": c}, {"data": c}, times=3) for c in "xyz"),
            *(
                C(
                    "read-single-dataset-generate-model",
                    {"data": c, "id": s},
                    {"results": f"{c}-{s}"},
                    metadata={"results": {"model": c, "model_name": f"model-artifact-inner-iteration-{c}-{s}"}},
                )
                for s in ("s1", "s2", "s3")
                for c in "xyz"
            ),
            *(
                C("read-models", {"models": [f"{c}-{s}" for c in "xyz"]}, out("models read"))
                for s in ("s1", "s2", "s3")
            ),
            C("read-datasets", {"data": ["x", "y", "z"]}, out("files read"), times=3),
            C("read-models", {"models": COLLECTED}, out("models read")),
        ],
    ),
    "component_with_metadata_fields": Expected(
        files={"a.txt": "A", "b.txt": "B"},
        arguments={"dataset_a": "FOLDER/a.txt", "dataset_b": "FOLDER/b.txt"},
        calls=[C("dataset-joiner", {"dataset_a": "A", "dataset_b": "B"}, {"out_dataset": "AB", "Output": "AB"})],
        outputs={"out_dataset": "AB", "Output": "AB"},
    ),
    "component_with_task_final_status_GH-12033": refused("exit handler"),
    "components_with_optional_artifacts": Expected(
        bucket={SHAKESPEARE: "thou"},
        calls=[
            C("importer", {"uri": SHAKESPEARE}, {"artifact": "thou"}),
            C("custom-artifact-printer", {}, said="No artifact provided!", times=2),
            C("python-artifact-printer", {"artifact": "thou"}),
            C("python-artifact-printer", {}, said="No artifact provided!"),
        ],
    ),
    "conditional_producer_and_consumers": Expected(
        calls=[
            C("double", {"num": 2}, out(4)),
            C("double", {"num": 3}, out(6)),
            C("add", {"nums": [4, 6]}, out(10)),
        ],
        # the source binds `t` anew to the sum before it returns its output
        outputs=out(10),
    ),
    "container_io": refused("my_program"),
    "container_with_artifact_output": refused("run.sh"),
    "container_with_concat_placeholder": refused("my_program"),
    "container_with_if_placeholder": refused("my_program"),
    "container_with_placeholder_in_fstring": refused("my_program"),
    "containerized_python_component": refused("kfp-image"),
    "create_pod_metadata_complex": refused("fieldPathAsEnv"),
    "critical/add_numbers": Expected(
        arguments={"a": 2, "b": 3}, calls=[C("add-numbers", {"a": 2, "b": 3}, out(5))], outputs=out(5)
    ),
    "critical/artifact_cache": Expected(calls=FOO_CORE),
    "critical/artifact_crust": Expected(calls=FOO_CORE),
    "critical/collected_parameters": Expected(
        calls=[
            C("split-ids", {"ids": "s1,s2,s3"}, out(["s1", "s2", "s3"])),
            *(C("prepend-id", {"content": s}, out(f"model_id_{s}")) for s in ("s1", "s2", "s3")),
            *(C("consume-single-id", {"id": f"model_id_{s}"}, out("completed")) for s in ("s1", "s2", "s3")),
            C("consume-ids", {"ids": ["model_id_s1", "model_id_s2", "model_id_s3"]}, out("completed"), times=2),
        ],
    ),
    "critical/component_with_optional_inputs": Expected(
        calls=[
            C(
                "component-op",
                {"input1": "Hello", "input2": "World"},
                said="input2: World, type: <class 'str'>\ninput3: None, type: <class 'NoneType'>",
            )
        ]
    ),
    "critical/container_component_with_no_inputs": Expected(calls=[C("hello-world-container", said="hello world")]),
    "critical/flip_coin": Expected(
        check=_coin_and_number("flip-coin", "random-num", "print-msg", {"coin": "Output", "number": "Output"})
    ),
    "critical/if_else_with_oneof_artifacts": Expected(
        calls=[
            C("flip-coin", {}, out("heads")),
            C("param-to-artifact", {"val": "heads"}, {"a": "heads"}),
            C("print-artifact", {"a": "heads"}, said="\nheads\n", times=2),
        ]
    ),
    "critical/missing_kubernetes_optional_inputs": Expected(
        calls=[C("log-message", {"message": "baseline task"}, said="\nbaseline task\n")]
    ),
    "critical/mixed_parameters": Expected(
        calls=[C("core-comp", {}, out(1)), C("crust-comp", {"x": 2, "y": 1}, said="sum : 3")]
    ),
    "critical/modelcar": refused("oci://"),
    "critical/multiple_artifacts_namedtuple": Expected(
        calls=[
            C("core-comp", {}, {"ds1": "foo", "ds2": "bar"}),
            C("crust-comp", {"ds1": "foo", "ds2": "bar"}, said="ds1:  foo\nds2:  bar"),
        ]
    ),
    "critical/multiple_parameters_namedtuple": Expected(
        calls=[
            C("core-comp", {}, {"val1": "foo", "val2": "bar"}),
            C("crust-comp", {"val1": "foo", "val2": "bar"}, said="val1:  foo\nval2:  bar"),
        ]
    ),
    "critical/notebook_component_simple": Expected(calls=[C("run-train-notebook", {"text": "hello"})]),
    "critical/parallel_for_after_dependency": Expected(
        calls=[
            C("print-op", {"message": "foo"}, out("foo"), times=3),
            C("print-op", {"message": "bar"}, out("bar")),
            C("print-op", {"message": "baz"}, out("baz")),
        ],
        check=_before(("foo", "bar"), ("foo", "baz")),
    ),
    "critical/parameter_cache": Expected(calls=FOO_PARAMETER),
    "critical/parameter_oneof": Expected(
        check=_one_of(
            [
                C("flip-coin", {}, out("heads")),
                C("core-comp", {"input": "Got heads!"}, out("Got heads!")),
                C("crust-comp", {"input": "Got heads!"}),
            ],
            [
                C("flip-coin", {}, out("tails")),
                C("core-output-comp", {"input": "Got tails!"}, {"output_key": "Got tails!"}),
                C("crust-comp", {"input": "Got tails!"}),
            ],
        )
    ),
    "critical/parameters_simple": Expected(
        calls=[
            *(C("double", {"num": n}, out(2 * n)) for n in (1, 2, 3)),
            C("add", {"nums": [2, 4, 6]}, out(12)),
            C("add-container", {"nums": [2, 4, 6]}, {"sum": 12}),
        ],
        outputs=out([2, 4, 6]),
    ),
    "critical/pipeline_with_artifact_custom_path": Expected(
        calls=[
            C("component-output-artifact", {}, {"out_dataset": "Hello, World!"}),
            C("validate-input-artifact", {"in_dataset": "Hello, World!"}, out(True)),
        ]
    ),
    "critical/pipeline_with_artifact_upload_download": refused("datasets==4.0.0"),
    "critical/pipeline_with_env": Expected(
        calls=[
            C("print-env-op", said="ENV1 val1\nENV2 None"),
            C("print-env", said="val0\n"),
        ],
        check=lambda o: [] if "val2\n" in o.tasks[-1].said + o.tasks[0].said else ["ENV2 is not val2"],
    ),
    "critical/pipeline_with_importer_workspace": Expected(
        calls=[
            C("write-file-artifact", {}, {"out_ds": "Hello from producer file\n"}),
            C("get-uri", {"d": "Hello from producer file\n"}, out(ANY)),
            C("write-dir-artifact", {}, {"out_ds": ANY}),
            C("get-uri", {"d": ANY}, out(ANY)),
            C(
                "importer",
                {"uri": ANY},
                {"artifact": "Hello from producer file\n"},
                metadata={"artifact": {"key": "value"}},
            ),
            C("importer", {"uri": ANY}, {"artifact": ANY}, metadata={"artifact": {"source": "directory"}}),
            C(
                "train",
                {"dataset": "Hello from producer file\n"},
                {"scalar": "123", "message": "My model trained using data: Hello from producer file\n"},
            ),
            C(
                "read-dir",
                {
                    "data": {
                        "part-000.txt": "First file in directory.\n",
                        "part-001.txt": "Second file in directory.\n",
                    }
                },
                out("part-000.txt,part-001.txt"),
            ),
        ],
        outputs={"train_result": "123", "dir_result": "part-000.txt,part-001.txt"},
    ),
    # its exit task asserts the word of KFP's open-source back end
    "critical/pipeline_with_input_status_state": Expected(
        machine={"succeeded_word": "COMPLETE"},
        calls=[C("some-task", said="Executing some_task()..."), C("echo-state", {"status": ANY})],
        check=_final_status("echo-state", "COMPLETE", "exit-handler-1"),
    ),
    "critical/pipeline_with_placeholders": Expected(check=_placeholders),
    "critical/pipeline_with_pod_metadata": refused("fieldPathAsEnv"),
    "critical/pipeline_with_retry": Expected(calls=[C("add", {"a": 1.0, "b": 7.0}, out(8.0))]),
    "critical/pipeline_with_secret_as_env": refused("secretAsEnv"),
    "critical/pipeline_with_submit_request": Expected(
        calls=[
            C("submit-request", {"url": "httpbin.org/get"}),
            C("submit-request", {"url": "ml-pipeline:8888/apis/v2beta1/healthz"}),
        ]
    ),
    "critical/pipeline_with_volume_long_name": refused("argostub/createpvc"),
    "critical/pipeline_with_workspace": Expected(check=_workspace, outputs=out("Hello from workspace!")),
    "critical/producer_consumer_param_pipeline": Expected(
        calls=[
            C(
                "producer",
                {"input_text": "Hello world"},
                {"output_value": "Hello world, this is an output parameter\n"},
            ),
            C(
                "consumer",
                {"input_value": "Hello world, this is an output parameter\n"},
                said="Hello world, this is an output parameter",
            ),
        ]
    ),
    "critical/pythonic_artifacts_test_pipeline": Expected(
        calls=[
            C("gen-data", {}, out("some data"), metadata={"Output": {"length": 9}}),
            C("train-model", {"dataset": "some data"}, out("model trained")),
        ]
    ),
    "critical/two_step_pipeline_containerized": Expected(
        calls=[
            C("component1", {"text": "Hello KFP Containerized!"}, {"output_gcs": "Hello KFP Containerized!\n"}),
            C("component2", {"input_gcs": "Hello KFP Containerized!\n"}, said="Hello KFP Containerized!"),
        ]
    ),
    "cross_loop_after_topology": Expected(
        calls=[
            C("print-op", {"message": message}, times=times)
            for message, times in (
                ("one", 2),
                ("two", 2),
                ("three", 2),
                ("four", 4),
                ("five", 2),
                ("six", 1),
                ("seven", 4),
                ("eight", 2),
            )
        ],
        check=_before(("one", "two"), ("five", "six")),
    ),
    "env-var": Expected(
        arguments={"env_var": "HOME"},
        calls=[C("comp", {"env_var": "HOME"}, out(os.environ.get("HOME", "/")))],
        outputs=out(os.environ.get("HOME", "/")),
    ),
    "essential/component_with_env_variable": Expected(
        calls=[C("read-env-var", {"var_name": "KFP_TEST_ENV_VAR"}, out("env_var_value"))],
        outputs=out("env_var_value"),
    ),
    "essential/component_with_pip_index_urls": Expected(calls=[C("component-op", said="__builtins__")]),
    "essential/component_with_pip_install": Expected(calls=[C("component-with-pip-install", said="__builtins__")]),
    "essential/component_with_pip_install_in_venv": Expected(
        calls=[C("component-with-pip-install", said="__builtins__")]
    ),
    "essential/concat_message": Expected(
        arguments={"message1": "a", "message2": "b"},
        calls=[C("concat-message", {"message1": "a", "message2": "b"}, out("ab"))],
        outputs=out("ab"),
    ),
    "essential/container_no_input": Expected(calls=[C("container-no-input", said="hello world")]),
    "essential/dict_input": Expected(
        arguments={"struct": {"a": 1, "b": [2, "c"]}},
        calls=[C("dict-input", {"struct": {"a": 1, "b": [2, "c"]}}, said="{'a': 1, 'b': [2, 'c']}")],
    ),
    "essential/embedded_artifact": Expected(calls=[C("read-embedded-artifact-dir"), C("read-embedded-artifact-file")]),
    "essential/iris_pipeline_compiled": Expected(
        calls=[
            C("create-dataset", {}, {"iris_dataset": ANY}),
            C(
                "normalize-dataset",
                {"input_iris_dataset": ANY, "standard_scaler": True},
                {"normalized_iris_dataset": ANY},
                metadata={"normalized_iris_dataset": {"state": "Normalized"}},
            ),
            C(
                "train-model",
                {"normalized_iris_dataset": ANY, "n_neighbors": 3},
                {"model": ANY, "metrics": ANY},
                metadata={"model": {"framework": "scikit-learn"}},
            ),
        ]
    ),
    "essential/lightweight_python_functions_pipeline": Expected(
        arguments={"message": "hi"},
        calls=[
            C("preprocess", PREPROCESS, PREPROCESSED),
            C(
                "train",
                {
                    "dataset_one_path": "hi",
                    "dataset_two": "hi",
                    "message": "hi",
                    "input_bool": True,
                    "input_dict": {"A": 1, "B": 2},
                    "input_list": ["a", "b", "c"],
                    "num_steps": 100,
                },
                {"model": "".join(f"Step {i}\n{TRAINED_LINE}\n=====\n" for i in range(100))},
                metadata={"model": {"accuracy": 0.9}},
            ),
        ],
    ),
    "essential/lightweight_python_functions_with_outputs": Expected(
        arguments={"first_message": "a", "second_message": "b", "first_number": 1, "second_number": 2},
        calls=[
            C("concat-message", {"first": "a", "second": "b"}, out("ab")),
            C("add-numbers", {"first": 1, "second": 2}, out(3)),
            C("output-artifact", {"number": 3, "message": "ab"}, out("ab\nab\nab")),
            C(
                "output-named-tuple",
                {"artifact": "ab\nab\nab"},
                {
                    "scalar": "123",
                    "metrics": J({"metrics": [{"name": "accuracy", "numberValue": 0.9, "format": "PERCENTAGE"}]}),
                    "model": "Model contents: ab\nab\nab",
                },
            ),
        ],
    ),
    "essential/pipeline_with_after": Expected(
        calls=[C("print-text", {"text": text}, said=text) for text in ("1st task", "2nd task", "3rd task")],
        check=_before(("1st task", "2nd task"), ("2nd task", "3rd task")),
    ),
    "essential/pipeline_with_condition": Expected(check=_conditions),
    "essential/pipeline_with_metrics_outputs": Expected(check=_accuracy(3)),
    "essential/pipeline_with_nested_conditions": Expected(check=_nested_conditions),
    "essential/pipeline_with_nested_conditions_yaml": Expected(
        check=_coin_and_number("flip-coin", "generate-random-number", "print", {"coin": "output", "number": "output"})
    ),
    "essential/pipeline_with_outputs": Expected(
        calls=[
            C("print-op1", {"msg": "Hello"}, out("Hello")),
            C("print-op1", {"msg": "world"}, out("world")),
            C("print-op2", {"msg": "world"}, {"data": "world\n"}),
        ],
        outputs=out("world\n"),
    ),
    "essential/pipeline_with_params_containing_format": Expected(
        calls=[
            C("print-op", {"text": "Hello KFP"}, out("Hello KFP")),
            C("print-op", {"text": "Hello KFP, again."}, out("Hello KFP, again.")),
            C("print-op2", {"text1": "1", "text2": " and KFP."}, out("1 and KFP.")),
            C("print-op2", {"text1": "2", "text2": " and KFP."}, out("2 and KFP.")),
        ]
    ),
    "essential/pipeline_with_reused_component": Expected(
        calls=[
            C("add-numbers", {"a": 2, "b": 3}, out(5)),
            C("add-numbers", {"a": 5, "b": 5}, out(10)),
            C("add-numbers", {"a": 10, "b": 7}, out(17)),
        ]
    ),
    "essential/placeholder_with_if_placeholder_none_input_value": Expected(
        calls=[
            C(
                "component-with-optional-inputs",
                {"required_input": "input0"},
                said="--arg0 input0 --arg2 default value\n",
            )
        ]
    ),
    "failing/fail_v2": Expected(state="FAILED", calls=[C("fail", state="FAILED")]),
    "failing/pipeline_with_exit_handler": Expected(
        state="FAILED",
        calls=[
            C("print-op", {"message": "Hello World!"}),
            C("fail-op", {"message": "Task failed."}, state="FAILED", said="\nTask failed.\n"),
            C("print-op", {"message": "Exit handler has worked!"}, said="\nExit handler has worked!\n"),
        ],
        check=_before(("Task failed.", "Exit handler has worked!"), ("Hello World!", "Exit handler has worked!")),
    ),
    "failing/pipeline_with_multiple_exit_handlers": Expected(
        state="FAILED",
        calls=[
            C("print-op", {"message": "Hello World!"}, times=3),
            C("fail-op", {"message": "Task failed."}, state="FAILED"),
            *(C("print-op", {"message": f"{n} exit handler has worked!"}) for n in ("First", "Second", "Third")),
        ],
        check=_before(("Task failed.", "First exit handler has worked!")),
    ),
    "gpu-scheduling/nvidia_gpu_scheduling_check": Expected(
        calls=[C("verify-gpu-scheduled", said="GPU scheduling check: PASS")]
    ),
    "hello_world": HELLO,
    "identity": Expected(arguments={"value": "x"}, calls=[C("identity", {"value": "x"}, out("x"))], outputs=out("x")),
    "if_elif_else_complex": Expected(check=_lucky_number),
    "if_elif_else_with_oneof_parameters": Expected(
        outputs=out(ANY),
        check=_one_of(
            *(
                [
                    C("flip-three-sided-die", {}, out(side)),
                    C("print-and-return", {"text": f"Got {side}!"}, out(f"Got {side}!"), times=2),
                ]
                for side in ("heads", "tails")
            ),
            [
                C("flip-three-sided-die", {}, out("draw")),
                C("special-print-and-return", {"text": "Draw!"}, {"output_key": "Draw!"}),
                C("print-and-return", {"text": "Draw!"}, out("Draw!")),
            ],
        ),
    ),
    "if_else_with_oneof_artifacts": Expected(
        calls=[
            C("flip-coin", {}, out("heads")),
            C("param-to-artifact", {"val": "heads"}, {"a": "heads"}),
            C("print-artifact", {"a": "heads"}, said="\nheads\n", times=2),
        ]
    ),
    "if_else_with_oneof_parameters": Expected(
        outputs=out(ANY),
        check=_one_of(
            *(
                [
                    C("flip-coin", {}, out(side)),
                    C("print-and-return", {"text": f"Got {side}!"}, out(f"Got {side}!"), times=2),
                ]
                for side in ("heads", "tails")
            )
        ),
    ),
    "input_artifact": Expected(
        files={"data.txt": "D"}, arguments={"data": "FOLDER/data.txt"}, calls=[C("input-artifact", {"data": "D"})]
    ),
    "integration/ray_integration_compiled": refused("codeflare-sdk"),
    "local_execution/local_execution_pipeline_with_exit_handler": Expected(
        calls=[
            C("echo", {"message": "hello"}, out("hello")),
            C("record-exit", {"status": ANY}, out("exit:SUCCEEDED")),
        ],
        check=_final_status("record-exit", "SUCCEEDED", "exit-handler-1"),
    ),
    "local_execution/local_execution_pipeline_with_ignore_upstream_failure": Expected(
        state="FAILED",
        arguments={"marker_path": "FOLDER/marker"},
        calls=[C("fail-always", state="FAILED"), C("write-marker", {"marker_path": ANY}, out("cleanup_ran"))],
    ),
    "local_execution/local_execution_pipeline_with_k8s_only_methods": Expected(
        calls=[C("echo", {"message": "hello"}, out("hello"))], outputs=out("hello")
    ),
    "local_execution/local_execution_pipeline_with_oneof": Expected(
        calls=[C("branch-a", {}, out("A")), C("tag-selected", {"value": "A"}, out("selected:A"))],
        outputs=out("selected:A"),
    ),
    "local_execution/local_execution_pipeline_with_retry": Expected(
        arguments={"counter_path": "FOLDER/counter"},
        calls=[
            C("flaky", {"counter_path": ANY}, state="FAILED", said="flaky attempt 1"),
            C("flaky", {"counter_path": ANY}, out("attempt=2")),
        ],
        outputs=out("attempt=2"),
    ),
    "local_execution/pipeline_with_caching": Expected(calls=[C("add-one", {"x": 1}, out(2))], outputs=out(2)),
    "local_execution/pipeline_with_collected_artifacts": Expected(
        calls=[
            *(C("write-artifact", {"index": i}, {"out": str(i)}) for i in range(3)),
            C("read-and-join", {"artifacts": ["0", "1", "2"]}, out("0,1,2")),
        ],
        outputs=out("0,1,2"),
    ),
    "log_streaming_compiled": Expected(
        shortened={"time.time() + 60": "time.time() + 0.2"},
        calls=[C("print-message", {"message": "Hello world"}, said="\nHello world (")],
    ),
    "long-running": Expected(
        shortened={"sleep 300": "sleep 0.1"},
        calls=[C("wait-op", said="step-1 sleeping for 5m\ndone1", times=2)],
    ),
    "metrics_visualization_v2": Expected(
        calls=[
            C("wine-classification", {}, {"metrics": ANY}),
            C("iris-sgdclassifier", {"test_samples_fraction": 0.3}, {"metrics": ANY}),
            C("digit-classification", {}, {"metrics": ANY}, metadata={"metrics": {"accuracy": ANY}}),
            C(
                "html-visualization",
                {},
                {"html_artifact": "<!DOCTYPE html><html><body><h1>Hello world</h1></body></html>"},
            ),
            C("markdown-visualization", {}, {"markdown_artifact": "## Hello world \n\n Markdown content"}),
        ]
    ),
    "mounted_cabundle_configmap": HELLO,
    "mounted_cabundle_secret": HELLO,
    "nested_return": Expected(calls=[C("nested-return", {}, out(AB))], outputs=out(AB)),
    "nested_with_parameters": Expected(
        calls=[
            *(C("double", {"num": n}, out(2 * n), times=6) for n in (1, 2, 3)),
            *(C("add-two-nums", {"x": 2 * x, "y": 2 * y}, out(2 * x + 2 * y)) for x in (1, 2, 3) for y in (1, 2, 3)),
            C("add", {"nums": [[4, 6, 8], [6, 8, 10], [8, 10, 12]]}, out(72)),
        ],
        outputs=out([[4, 6, 8], [6, 8, 10], [8, 10, 12]]),
    ),
    "notebook_component_mixed": Expected(calls=NOTEBOOKS),
    "output_metrics": Expected(outputs={"metrics": ANY}, check=_accuracy(1)),
    "parallel_and_nested/loop_consume_upstream": Expected(
        calls=[
            C(
                "split-input",
                {"input": "component1,component2,component3"},
                out(["component1", "component2", "component3"]),
            ),
            *(C("create-file", {"content": f"component{i}"}, {"file": f"component{i}"}) for i in (1, 2, 3)),
            *(C("read-file", {"file": f"component{i}"}, out(ANY), said=f"\ncomponent{i}\n") for i in (1, 2, 3)),
            C("print-input", {"input": ["component1", "component2", "component3"]}, said="Input item: component3"),
        ]
    ),
    "parallel_and_nested/nested_parallel_for_secret": Expected(),
    "parallel_and_nested/nested_pipeline_opt_input_child_level_compiled": Expected(
        calls=[
            C("component-a-str", {"componentInputStr": "Input - pipeline"}),
            C("component-b-str", {"componentInputStr": "Input 2 - nested pipeline"}),
            C("component-a-int", {"componentInputInt": 1}),
            C("component-b-int", {"componentInputInt": 0}),
            C("component-a-bool", {"componentInputBool": True}),
            C("component-b-bool", {"componentInputBool": False}),
        ]
    ),
    "parallel_and_nested/nested_pipeline_opt_inputs_nil_compiled": Expected(
        calls=[C("component-str"), C("component-int"), C("component-bool")]
    ),
    "parallel_and_nested/nested_pipeline_opt_inputs_parent_level_compiled": Expected(
        calls=[
            C(f"component-{nil}{kind}-default", {"componentInput": value})
            for nil in ("", "nil-")
            for kind, value in (("str", "Input - parent pipeline"), ("int", 1), ("bool", True))
        ]
    ),
    "parallel_and_nested/parallel_for_mount_pvc": refused("pvcMount"),
    "parallel_and_nested/parallel_for_secret": Expected(),
    "parallel_and_nested/pipeline_in_pipeline": Expected(
        calls=[
            C("print-op1", {"msg": "Hello"}, out("Hello")),
            C("print-op1", {"msg": "world"}, out("world")),
            C("print-op2", {"msg": "world"}, said="world\n"),
        ]
    ),
    "parallel_and_nested/pipeline_in_pipeline_complex": Expected(
        calls=[
            C("print-op1", {"msg": "Hello"}, out("Hello"), times=2),
            C("print-op1", {"msg": "world!"}, out("world!")),
            C("print-op2", {"msg": "world"}, said="world\n"),
            C("print-op", {"msg": "Bye!"}, said="Bye!\n"),
        ]
    ),
    "parallel_and_nested/pipeline_in_pipeline_loaded_from_yaml": Expected(
        calls=[
            C("print-op1", {"msg": "Hello"}, out("Hello")),
            C("print-op1", {"msg": "world"}, out("world")),
            C("print-op2", {"msg": "world"}, {"data": "world\n"}),
            C("print-op1", {"data": "world\n"}, {}),
        ]
    ),
    "parallel_and_nested/pipeline_with_loops": Expected(
        calls=[
            *(C("print-text", {"msg": text}) for text in ("a", "b")),
            C("args-generator-op", {}, out(AB)),
            *(C("print-struct", {"struct": item}, times=2) for item in AB),
            *(C("print-text", {"msg": text}, times=2) for text in ("1", "2", "10", "20")),
        ]
    ),
    "parameters_complex": Expected(
        calls=[
            *(C("double", {"num": n}, out(2 * n)) for n in (1, 2, 3)),
            *(C("double", {"num": n}, out(2 * n), times=3) for n in (4, 5, 6)),
            C("simple-add", {"nums": [8, 10, 12]}, out(30), times=3),
            C("simple-add", {"nums": [2, 4, 6]}, out(12), times=3),
            C("nested-add", {"nums": [[8, 10, 12]] * 3}, out(90), times=4),
            C("add-two-numbers", {"x": [12, 12, 12], "y": [90, 90, 90]}, out(306)),
        ],
        outputs=out(306),
    ),
    "pipeline_as_exit_task": Expected(
        state="FAILED",
        calls=[
            C("print-op", {"message": "Hello World!"}),
            C("fail-op", {"message": "Task failed."}, state="FAILED"),
            C("get-run-state", {"status": ANY}, out("FAILED")),
            C("print-op", {"message": "notify task failure."}, said="\nnotify task failure.\n"),
        ],
        check=_final_status("get-run-state", "FAILED", "exit-handler-1"),
    ),
    "pipeline_producer_consumer": Expected(
        calls=[
            *(C("double", {"num": n}, out(2 * n), times=3) for n in (1, 2, 3)),
            *(C("echo-and-return", {"string": c}, out(c)) for c in "math"),
            C("add", {"nums": [[2, 4, 6]] * 3}, out(36)),
            C("join-and-print", {"strings": ["m", "a", "t", "h"]}, said="\nmath\n"),
        ],
        outputs=out(36),
    ),
    "pipeline_with_concat_placeholder": Expected(
        calls=[C("component-with-concat-placeholder", {"input_one": "one", "input_two": "two"})]
    ),
    "pipeline_with_condition_dynamic_task_output_custom_training_job": refused("google_cloud_pipeline_components"),
    "pipeline_with_dynamic_importer_metadata": Expected(
        calls=[
            C("make-name", {"name": "a-different-name"}, out("a-different-name")),
            C("importer", {"metadata": ANY, "metadata-2": ANY, "uri": ANY}, {"artifact": ANY}),
            C(
                "importer",
                {"metadata": "a-different-name", "metadata-2": "default-name", "metadata-3": 1, "uri": SHAKESPEARE},
                {"artifact": ANY},
            ),
        ],
        check=_importers,
    ),
    "pipeline_with_dynamic_task_output_custom_training_job": refused("google_cloud_pipeline_components"),
    "pipeline_with_google_artifact_type": refused("aiplatform"),
    "pipeline_with_importer": refused("gs://"),
    "pipeline_with_importer_and_gcpc_types": refused("gs://"),
    "pipeline_with_loops_and_conditions": Expected(check=_loops_and_conditions),
    "pipeline_with_metadata_fields": Expected(
        files={"in.txt": "b"},
        arguments={"string": "a", "in_dataset": "FOLDER/in.txt"},
        calls=[
            C("str-to-dataset", {"string": "a"}, {"dataset": "a"}),
            C("dataset-joiner", {"dataset_a": "a", "dataset_b": "b"}, {"out_dataset": "ab", "Output": "ab"}),
        ],
        outputs=out("ab"),
    ),
    "pipeline_with_nested_loops": Expected(
        calls=[
            *(C("print-op", {"msg": text}) for text in ("1", "2", "11", "22")),
            *(C("print-op", {"msg": text}) for text in ("1", "2")),
            *(C("print-op", {"msg": a, "msg2": b}) for a in ("1", "2") for b in ("100", "200", "300")),
        ]
    ),
    "pipeline_with_only_display_name": HELLO,
    "pipeline_with_parallelfor_list_artifacts_GH-12033": Expected(
        calls=[
            *(
                C(f"make-{kind}", {"data": text}, out(text), metadata={"Output": {"length": len(text)}})
                for kind in ("artifact", "dataset")
                for text in ("Hello", ",", " ", "world!")
            ),
            *(
                C("print-artifact-name", {"artifact": text}, out(ANY), times=2)
                for text in ("Hello", ",", " ", "world!")
            ),
        ]
    ),
    "pipeline_with_parallelfor_parallelism": Expected(
        arguments={"loop_parameter": ["a", "b"]},
        calls=[
            *(C("print-text", {"msg": text}, times=3) for text in ("a", "b")),  # once, and nested below each
            *(C("print-text", {"msg": text}) for text in ("1", "2")),
            *(C("print-text", {"msg": text}, times=3) for text in ("10", "20")),  # outer once, inner twice
            *(C("print-text", {"msg": text}, times=2) for text in ("100", "200")),
            *(C("print-int", {"x": x}, times=6) for x in (1, 2, 3)),
            C("list-dict-maker", {}, out(LISTS), times=5),
        ],
    ),
    "pipeline_with_parallelfor_pipeline_param": Expected(
        arguments={"prefix": "p", "loop_parameter": ["a", "b"]},
        calls=[
            C("make-prefix", {}, out("dynamic-prefix")),
            *(C("print-with-prefix", {"prefix": "p", "item": i}, out(f"p: {i}"), times=3) for i in "ab"),
            *(
                C("print-with-prefix", {"prefix": "dynamic-prefix", "item": i}, out(f"dynamic-prefix: {i}"))
                for i in "ab"
            ),
        ],
    ),
    "pipeline_with_secret_as_volume": refused("secretAsVolume"),
    "pipeline_with_string_machine_fields_pipeline_input": Expected(calls=[C("sum-numbers", {"a": 1, "b": 2}, out(3))]),
    "pipeline_with_string_machine_fields_task_output": Expected(
        calls=[
            C("cpu-limit", {}, out("4000m")),
            C("memory-limit", {}, out("15G")),
            C("accelerator-type", {}, out("NVIDIA_TESLA_P4")),
            C("accelerator-limit", {}, out("1")),
            C("sum-numbers", {"a": 1, "b": 2}, out(3)),
        ]
    ),
    "pipeline_with_task_final_status": Expected(
        state="FAILED",
        calls=[
            C("print-op", {"message": "Hello World!"}),
            C("fail-op", {"message": "Task failed."}, state="FAILED"),
            C("exit-op", {"user_input": "Hello World!", "status": ANY}, said="Pipeline status:  FAILED"),
        ],
        check=_final_status("exit-op", "FAILED", "exit-handler-1"),
    ),
    "pipeline_with_task_final_status_yaml": Expected(
        calls=[
            C("print-op", {"message": "Hello World!"}, said="Hello World!\n"),
            C(
                "exit-op",
                {"user_input": "Hello World!", "status": ANY},
                said="user input: Hello World! pipeline status:",
            ),
        ],
        check=_final_status("exit-op", "SUCCEEDED", "exit-handler-1"),
    ),
    "pipeline_with_task_using_ignore_upstream_failure": Expected(
        state="FAILED",
        calls=[
            C("fail-op", {"message": "message"}, state="FAILED"),
            C("print-op", {"message": "default"}, said="\ndefault\n"),
        ],
    ),
    "pipeline_with_utils": Expected(calls=[C("echo", {"msg": "Hello, World!"})]),
    "pipeline_with_various_io_types": replace(
        refused("gcr.io/image"), files={"in.txt": "x"}, arguments={"input1": "a", "input3": "FOLDER/in.txt"}
    ),
    "pipeline_with_volume": refused("pvcMount"),
    "pipeline_with_volume_no_cache": refused("pvcMount"),
    "preprocess": Expected(
        arguments=PREPROCESS, calls=[C("preprocess", PREPROCESS, PREPROCESSED)], outputs=PREPROCESSED
    ),
    "pvc_mount": refused("pvcMount"),
    "pythonic_artifact_with_single_return": refused("dill==0.3.7"),
    "pythonic_artifacts_with_list_of_artifacts": Expected(
        calls=[
            *(
                C("make-dataset", {"text": text}, out(text), metadata={"Output": {"length": len(text)}})
                for text in ("Hello", ",", " ", "world!")
            ),
            C("join-datasets", {"datasets": ["Hello", ",", " ", "world!"]}, out("Hello, world!")),
        ],
        outputs=out("Hello, world!"),
    ),
    "pythonic_artifacts_with_multiple_returns": Expected(
        calls=[
            C("make-dataset", {}, out("Hello, world")),
            C("dataset-splitter", {"in_dataset": "Hello, world"}, {"dataset1": "Hello,", "dataset2": " world"}),
        ],
        outputs=out("Hello,"),
    ),
    "run_as_user_cache_disabled": HELLO,
    "run_as_user_cache_enabled": HELLO,
    "sequential_v1": Expected(
        arguments={"param1": "one", "param2": "two"},
        calls=[C("echo", {"message": text}, said=f"{text}\n") for text in ("one", "two")],
    ),
    "sequential_v2": replace(refused("gsutil"), arguments={"url": "gs://bucket/file"}),
    "take_nap_compiled": NAPS,
    "take_nap_pipeline_root_compiled": NAPS,
    "two_step_pipeline": refused("gsutil"),
    "upload_download_compiled": refused("minio"),
    "xgboost_sample_pipeline": refused("xgboost==1.1.1"),
}


def of(name: str) -> Expected:
    """The expectation for a document of the suite; one that is new there must only succeed."""
    return _EXPECTED.get(name.removesuffix(".yaml"), Expected())


def names() -> frozenset[str]:
    """Every document that has an expectation."""
    return frozenset(f"{name}.yaml" for name in _EXPECTED)
