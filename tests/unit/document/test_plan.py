"""Which tasks share a job: the rules one by one, and this repository's own pipeline."""

from __future__ import annotations

import json
from typing import Any

import pytest

from seatrial.document import Document, read_text
from seatrial.document.explain import explain
from seatrial.document.expression import Compare
from seatrial.document.plan import Choice, FirstOf, Job, JobOutput, PipelineParameter, Plan, plan
from seatrial.errors import DocumentError

Json = Any
OWN = "registry/seatrial@sha256:1"
OTHER = "registry/other@sha256:2"
STRING = {"parameterType": "STRING"}
INTEGER = {"parameterType": "NUMBER_INTEGER"}


class Pipeline:
    """Builds a document: ``add`` gives every task a text ``o`` and takes texts of others."""

    def __init__(self) -> None:
        self.components: dict[str, Json] = {}
        self.executors: dict[str, Json] = {}
        self.tasks: dict[str, Json] = {}

    def add(
        self,
        name: str,
        *takes: str,
        after: tuple[str, ...] = (),
        image: str = OWN,
        job: str = "",
        cpu: str = "",
        memory: str = "",
        gpu: str = "",
        env: dict[str, str] | None = None,
        tasks: dict[str, Json] | None = None,
        **table: Json,
    ) -> Pipeline:
        made = {f"i{n}": _source(t) for n, t in enumerate(takes)}
        variables = {**({"SEATRIAL_JOB": job} if job else {}), **(env or {})}
        resources: dict[str, Json] = {}
        if cpu:
            resources["resourceCpuLimit"] = cpu
        if memory:
            resources["resourceMemoryLimit"] = memory
        if gpu:
            resources["accelerator"] = {"resourceType": gpu, "resourceCount": "1"}
        self.executors[f"exec-{name}"] = {
            "container": {
                "image": image,
                "command": ["c"],
                "env": [{"name": k, "value": v} for k, v in variables.items()],
                "resources": resources,
            }
        }
        self.components[f"comp-{name}"] = {
            "executorLabel": f"exec-{name}",
            "inputDefinitions": {"parameters": dict.fromkeys(made, STRING)},
            "outputDefinitions": {"parameters": {"o": STRING}},
        }
        where = self.tasks if tasks is None else tasks
        where[name] = {
            "componentRef": {"name": f"comp-{name}"},
            "taskInfo": {"name": name},
            "inputs": {"parameters": made},
            "dependentTasks": list(after),
            **table,
        }
        return self

    def group(
        self, name: str, tasks: dict[str, Json], takes: dict[str, str], gives: Json = None, **table: Json
    ) -> None:
        outputs, definitions = {}, {}
        if gives is not None:
            selectors = [{"producerSubtask": t, "outputParameterKey": "o"} for t in gives]
            outputs = {"parameters": {"o": {"valueFromOneof": {"parameterSelectors": selectors}}}}
            definitions = {"parameters": {"o": STRING}}
        self.components[f"comp-{name}"] = {
            "dag": {"tasks": tasks, "outputs": outputs},
            "inputDefinitions": {"parameters": dict.fromkeys(takes, STRING)},
            "outputDefinitions": definitions,
        }
        table.setdefault("inputs", {"parameters": {k: _source(v) for k, v in takes.items()}})
        self.tasks[name] = {"componentRef": {"name": f"comp-{name}"}, "taskInfo": {"name": name}, **table}

    def document(self) -> Document:
        return read_text(
            json.dumps(
                {
                    "pipelineInfo": {"name": "p"},
                    "schemaVersion": "2.1.0",
                    "deploymentSpec": {"executors": self.executors},
                    "components": self.components,
                    "root": {
                        "inputDefinitions": {"parameters": {"p": {**STRING, "defaultValue": "a"}}},
                        "dag": {"tasks": self.tasks},
                    },
                }
            )
        )

    def plan(self, **options: Any) -> Plan:
        return plan(self.document(), **{"own": (OWN, OTHER), **options})


def _source(text: str) -> Json:
    if text.startswith("$"):
        return {"componentInputParameter": text[1:]}
    return {"taskOutputParameter": {"producerTask": text, "outputParameterKey": "o"}}


def together(found: Plan) -> list[str]:
    """Each job's tasks, sorted."""
    return sorted(" ".join(sorted(job.tasks)) for job in found.jobs())


def only(found: Plan) -> Job:
    (job,) = found.jobs()
    return job


def test_tasks_on_one_image_share_a_job() -> None:
    pipeline = Pipeline().add("a").add("b", "a").add("c", "b")
    assert only(pipeline.plan()).columns == (("a",), ("b",), ("c",))
    assert together(pipeline.plan(fuse=False)) == ["a", "b", "c"]


def test_another_image_is_another_job() -> None:
    assert together(Pipeline().add("a").add("b", "a", image=OTHER).plan()) == ["a", "b"]


def test_tasks_that_name_different_jobs_do_not_share_one_and_one_without_a_name_joins_a_neighbour() -> None:
    pipeline = Pipeline().add("a", job="x").add("b", "a", job="y").add("c", "b")
    found = pipeline.plan()
    assert {job.name: job.tasks for job in found.jobs()} == {"x": ("a",), "y": ("b", "c")}


def test_a_job_never_waits_for_itself_through_another() -> None:
    """a and c name one job, but b lies between them on another image: three jobs, not a circle of two."""
    pipeline = Pipeline().add("a", job="x").add("b", "a", image=OTHER).add("c", "b", job="x")
    assert together(pipeline.plan()) == ["a", "b", "c"]
    assert [job.name for job in pipeline.plan().jobs()] == ["x", "b", "x-2"]
    # the control: b does not wait for a any more, so a and c may share a job behind it
    assert together(Pipeline().add("a", job="x").add("b", image=OTHER).add("c", "b", job="x").plan()) == ["a c", "b"]


def test_heavy_tasks_that_could_run_at_the_same_time_have_machines_of_their_own() -> None:
    fan = Pipeline().add("a").add("b", "a", cpu="8").add("c", "a", cpu="8")
    assert together(fan.plan()) == ["a", "b", "c"]  # and a is too small a task for their machine
    assert together(Pipeline().add("a", cpu="4").add("b", "a", cpu="8").add("c", "a", cpu="8").plan()) == ["a b", "c"]
    light = Pipeline().add("a").add("b", "a", cpu="2").add("c", "a", cpu="2")
    assert together(light.plan()) == ["a b c"]
    hinted = Pipeline().add("a", job="x").add("b", "a", cpu="8", job="x").add("c", "a", cpu="8", job="x")
    assert together(hinted.plan()) == ["a b c"]
    one_after_the_other = Pipeline().add("b", cpu="8").add("c", "b", cpu="8")
    assert together(one_after_the_other.plan()) == ["b c"]


def test_a_job_runs_as_the_class_furthest_along_and_asks_for_what_all_its_tasks_use() -> None:
    pipeline = Pipeline().add("a").add("b", "a", env={"SEATRIAL_ROLE": "release", "SEATRIAL_USES": "x:b x:a"})
    pipeline.add("c", "b", env={"SEATRIAL_ROLE": "evaluation", "SEATRIAL_USES": "x:a"})
    job = only(pipeline.plan())
    assert (job.role, job.uses) == ("release", ("x:a", "x:b"))
    plain = only(Pipeline().add("a").plan())
    assert (plain.role, plain.uses) == ("data", ())


def test_monitoring_shares_a_job_with_no_other_class() -> None:
    monitoring = {"SEATRIAL_ROLE": "monitoring"}
    pipeline = Pipeline().add("a").add("b", "a", env=monitoring).add("c", "b", env=monitoring)
    found = pipeline.plan()
    assert [(job.role, job.tasks) for job in found.jobs()] == [("data", ("a",)), ("monitoring", ("b", "c"))]


def test_a_role_that_nobody_knows_is_refused() -> None:
    with pytest.raises(DocumentError, match="'root', and there is no such role"):
        Pipeline().add("a", env={"SEATRIAL_ROLE": "root"}).plan()


def test_a_gpu_does_not_wait_for_tasks_that_have_no_use_for_it() -> None:
    assert together(Pipeline().add("a").add("b", "a", gpu="T4").plan()) == ["a", "b"]


def test_the_machine_suits_the_largest_task() -> None:
    job = only(
        Pipeline().add("a", cpu="2", memory="8Gi").add("b", "a", cpu="500m", memory="4G", job="x").plan(fuse=True)
    )
    assert job.resources.cpu == 2
    assert job.resources.memory_gb == pytest.approx(8.589934592)


def test_resources_that_only_the_run_knows_are_refused() -> None:
    with pytest.raises(DocumentError, match="which only the run knows"):
        Pipeline().add("a", cpu="{{$.inputs.parameters['p']}}").plan()
    with pytest.raises(DocumentError, match="not an amount of memory"):
        Pipeline().add("a", memory="lots").plan()


def test_a_registration_is_a_step_of_its_own_and_starts_no_machine() -> None:
    found = Pipeline().add("a").add("r", "a", env={"SEATRIAL_KIND": "registration"}).add("z", "r").plan()
    assert {job.name: job.kind for job in found.jobs()} == {"a": "processing", "r": "registration", "z": "processing"}
    assert (found.figures.jobs, found.figures.job_chain) == (2, 2)


def test_a_training_task_makes_its_job_a_training_job_with_its_options() -> None:
    env = {"SEATRIAL_KIND": "training", "SEATRIAL_TRAINING": '{"spot": true, "keep_alive_s": 600}'}
    job = only(Pipeline().add("a").add("t", "a", env=env).plan())
    assert job.kind == "training"
    assert job.training is not None
    assert (job.training.spot, job.training.keep_alive_s) == (True, 600)
    with pytest.raises(DocumentError, match="training options that are not understood"):
        Pipeline().add("t", env={**env, "SEATRIAL_TRAINING": '{"sopt": true}'}).plan()


# conditions

EQUALS = {"condition": "inputs.parameter_values['asked'] == 'x'"}


def asking(pipeline: Pipeline, asked: str, **inner: Any) -> Pipeline:
    tasks: dict[str, Json] = {}
    pipeline.add("inner", tasks=tasks, **inner)
    pipeline.group("if-1", tasks, {"asked": asked}, triggerPolicy=EQUALS)
    return pipeline


def test_a_condition_stays_in_the_job_that_it_asks() -> None:
    assert only(asking(Pipeline().add("a"), "a").plan()).tasks == ("a", "if-1.inner")


def test_a_condition_whose_tasks_are_another_job_is_a_choice_between_jobs() -> None:
    """A job that only finds out that it is not needed would cost a start."""
    found = asking(Pipeline().add("a"), "a", image=OTHER).plan()
    first, choice = found.nodes
    assert isinstance(first, Job)
    assert isinstance(choice, Choice)
    assert isinstance(choice.condition, Compare)
    assert [o.source for o in choice.operands.values()] == [JobOutput("a", "a-o")]
    assert first.document["root"]["outputDefinitions"] == {"parameters": {"a-o": STRING}}
    (inner,) = choice.then
    assert isinstance(inner, Job)
    assert inner.name == "inner"


def test_a_condition_on_a_parameter_of_the_pipeline_is_a_choice() -> None:
    (choice,) = asking(Pipeline(), "$p").plan().nodes
    assert isinstance(choice, Choice)
    assert [o.source for o in choice.operands.values()] == [PipelineParameter("p")]


def test_a_condition_on_what_the_document_says_is_decided_now() -> None:
    def decided(value: str) -> Plan:
        pipeline = asking(Pipeline().add("a"), "a", image=OTHER)
        pipeline.tasks["if-1"]["inputs"]["parameters"]["asked"] = {"runtimeValue": {"constant": value}}
        return pipeline.plan()

    assert together(decided("x")) == ["a", "if-1.inner"]
    assert all(isinstance(node, Job) for node in decided("x").nodes)
    assert together(decided("y")) == ["a"]


def branches(images: tuple[str, str, str]) -> Pipeline:
    """If, Elif, Else, whichever ran given to a task behind them."""
    pipeline = Pipeline().add("a", image=OTHER)
    texts = {
        "yes": "inputs.parameter_values['asked'] == 'x'",
        "maybe": "!(inputs.parameter_values['asked'] == 'x') && inputs.parameter_values['asked'] == 'y'",
        "no": "!(inputs.parameter_values['asked'] == 'x') && !(inputs.parameter_values['asked'] == 'y')",
    }
    group: dict[str, Json] = {}
    for (name, condition), image in zip(texts.items(), images, strict=True):
        inner: dict[str, Json] = {}
        pipeline.add(f"do-{name}", tasks=inner, image=image)
        pipeline.group(name, inner, {"asked": "$asked"}, [f"do-{name}"], triggerPolicy={"condition": condition})
        group[name] = pipeline.tasks.pop(name)
    pipeline.group("branches", group, {"asked": "a"}, list(texts))
    return pipeline.add("z", "branches")


def test_if_elif_else_become_nested_choices_and_one_of_their_outputs_is_taken() -> None:
    found = branches((OWN, OTHER, OWN)).plan()
    choice = found.nodes[1]
    assert isinstance(choice, Choice)
    (inner,) = choice.otherwise
    assert isinstance(inner, Choice)
    assert [n.name for n in (*choice.then, *inner.then, *inner.otherwise)] == ["do-yes", "do-maybe", "do-no"]
    last = found.jobs()[-1]
    (value,) = last.parameters.values()
    assert isinstance(value, FirstOf)
    assert [output.job for output in value.outputs] == ["do-yes", "do-maybe", "do-no"]


def test_branches_of_which_one_output_is_taken_stay_together_where_they_can() -> None:
    """A service cannot pass on whichever of several jobs ran; a job can."""
    assert together(branches((OWN, OWN, OWN)).plan()) == [
        "a",
        "branches.maybe.do-maybe branches.no.do-no branches.yes.do-yes z",
    ]


# loops


def looping(image: str = OWN, *, dynamic: bool, **inner: Any) -> Pipeline:
    pipeline = Pipeline().add("a")
    tasks: dict[str, Json] = {}
    pipeline.add("body", tasks=tasks, image=image, **inner)
    items: Json = {"inputParameter": "items"} if dynamic else {"raw": "[1, 2, 3]"}
    inputs = {"parameters": {"items": _source("a")}} if dynamic else {}
    pipeline.group("loop", tasks, {}, inputs=inputs, parameterIterator={"items": items, "itemInput": "item"})
    pipeline.components["comp-loop"]["inputDefinitions"] = {
        "parameters": {"item": INTEGER, **({"items": {"parameterType": "LIST"}} if dynamic else {})}
    }
    return pipeline


def test_a_loop_shares_the_job_of_what_it_loops_over() -> None:
    assert only(looping(dynamic=True).plan()).tasks == ("a", "loop.body")


def test_a_loop_over_listed_heavy_tasks_is_a_job_for_each_item() -> None:
    assert together(looping(dynamic=False, cpu="8").plan()) == ["a", "loop[0].body", "loop[1].body", "loop[2].body"]
    assert together(looping(dynamic=False).plan()) == ["a loop.body"]


def test_the_limit_of_a_loop_holds_between_jobs() -> None:
    pipeline = looping(dynamic=False, cpu="8")
    pipeline.tasks["loop"]["iteratorPolicy"] = {"parallelismLimit": 2}
    jobs = {job.name: job for job in pipeline.plan(fuse=False).jobs()}
    assert [jobs[name].after for name in ("body", "body-2", "body-3")] == [(), (), ("body",)]
    # what cannot run at the same time anyway may share a machine
    assert together(pipeline.plan()) == ["a", "loop[0].body loop[2].body", "loop[1].body"]


def test_a_loop_that_only_the_run_knows_is_one_job_or_refused() -> None:
    assert together(looping(OTHER, dynamic=True).plan(fuse=False)) == ["a", "loop.body"]
    with pytest.raises(DocumentError, match=r"the loop 'loop' has to run in one job, and image .*other"):
        looping(OTHER, dynamic=True).plan(own=(OWN,))
    # given an image that holds Seatrial, it runs on that
    assert only(looping(OTHER, dynamic=True).plan(own=(), image=OWN)).image == OWN


# exit handlers, foreign images, importers


def test_an_exit_handler_shares_the_job_that_it_watches() -> None:
    pipeline = Pipeline().add("a", image=OWN).add("b", "a", job="x")
    policy = {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
    pipeline.add("last", after=("b",), job="y", triggerPolicy=policy)
    assert together(pipeline.plan()) == together(pipeline.plan(fuse=False)) == ["a b last"]
    other = Pipeline().add("a", image=OTHER).add("last", after=("a",), triggerPolicy=policy)
    with pytest.raises(DocumentError, match="'last' runs however the tasks before it end"):
        other.plan()


def test_a_foreign_image_runs_one_task_a_job() -> None:
    found = Pipeline().add("a", image="busybox").add("b", "a", image="busybox").plan(own=())
    assert [(job.kind, job.tasks) for job in found.jobs()] == [("foreign", ("a",)), ("foreign", ("b",))]


def test_an_importer_is_repeated_where_it_is_used() -> None:
    pipeline = Pipeline().add("a").add("b", image=OTHER)
    slot = {"artifactType": {"schemaTitle": "system.Dataset"}}
    pipeline.components["comp-import"] = {
        "executorLabel": "exec-import",
        "outputDefinitions": {"artifacts": {"artifact": slot}},
    }
    pipeline.executors["exec-import"] = {"importer": {"artifactUri": {"constant": "s3://b/k"}, "typeSchema": {}}}
    pipeline.tasks["import"] = {"componentRef": {"name": "comp-import"}, "taskInfo": {"name": "import"}}
    for name in ("a", "b"):
        pipeline.components[f"comp-{name}"]["inputDefinitions"] = {"artifacts": {"data": slot}}
        output = {"producerTask": "import", "outputArtifactKey": "artifact"}
        pipeline.tasks[name]["inputs"] = {"artifacts": {"data": {"taskOutputArtifact": output}}}
        pipeline.tasks[name]["dependentTasks"] = ["import"]
    found = pipeline.plan()
    assert together(found) == ["a", "b"]
    assert all("import" in job.document["root"]["dag"]["tasks"] for job in found.jobs())
    assert all(not job.artifacts for job in found.jobs())


def test_what_may_be_skipped_cannot_be_needed_outside() -> None:
    pipeline = Pipeline().add("a")
    tasks: dict[str, Json] = {}
    pipeline.add("inner", tasks=tasks, image=OTHER)
    pipeline.group("if-1", tasks, {"asked": "a"}, ["inner"], triggerPolicy=EQUALS)
    pipeline.add("z", "if-1")
    with pytest.raises(DocumentError, match="may be skipped"):
        pipeline.plan()


# this repository's pipeline


@pytest.fixture(scope="module")
def train(repository: Any) -> Document:
    from seatrial.document.compile import compile_pipeline

    return read_text(compile_pipeline(repository / "pipelines" / "train.py", root=repository, image=OWN))


def test_training_takes_three_starts_instead_of_ten(train: Document) -> None:
    """The promise: at most 3 jobs one after the other, at most 5 in all."""
    found, unfused = plan(train), plan(train, fuse=False)
    assert [job.name for job in found.jobs()] == ["train", "decide", "release"]
    assert (found.figures.job_chain, found.figures.jobs, found.figures.tasks) == (3, 3, 11)
    assert (unfused.figures.job_chain, unfused.figures.jobs, unfused.figures.loops) == (10, 11, 1)
    assert found.figures.moved < unfused.figures.moved
    choice = found.nodes[-1]
    assert isinstance(choice, Choice)
    assert [job.name for job in choice.then] == ["release"]


def test_the_plan_is_told_in_words(train: Document) -> None:
    text = explain(plan(train), plan(train, fuse=False))
    lines = text.splitlines()
    assert lines[0] == "11 tasks → 3 jobs; critical path 3 jobs (was 10): about 35 min of start-up saved per run"
    assert lines[1].split("  ")[-1] == "1 cpu, 2 GB"
    assert "candidates | ingest → validate → split → profile → train *" in lines[1]
    assert "register → deploy → verify" in text
    assert "1 loop" in text


def test_a_plan_is_the_same_each_time(train: Document) -> None:
    first, second = plan(train), plan(train)
    assert first == second
    assert [json.dumps(job.document) for job in first.jobs()] == [json.dumps(job.document) for job in second.jobs()]
