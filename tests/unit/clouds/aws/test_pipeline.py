"""What becomes what: a compiled definition is reviewed, diffed and cached by, so its every byte has a reason.

``SEATRIAL_UPDATE_SNAPSHOTS=1 pytest tests/unit/clouds/aws/test_pipeline.py`` writes the snapshots anew; read the diff.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from seatrial.clouds.aws.check import check
from seatrial.clouds.aws.parameters import started_with
from seatrial.clouds.aws.pipeline import Compiled, compiled
from seatrial.clouds.aws.settings import Instance, SageMakerSettings
from seatrial.document import Document, read_text
from seatrial.document.compile import compile_pipeline
from seatrial.document.plan import plan
from seatrial.errors import DocumentError, UsageError
from tests.unit.clouds.aws.pipelines import COMPONENTS, HEAD, PIPELINES

Json = Any
Read = Callable[[str], Document]
SNAPSHOTS = Path(__file__).parent / "snapshots"
UNFUSED = {"nested_choices", "static_loop", "dynamic_loop", "training", "registration", "ordered"}


@pytest.fixture
def pipeline(bench: Any) -> Read:
    """Compiles one of the small pipelines, or the text of another."""
    bench.write("constructs.py", COMPONENTS)

    def document(name: str) -> Document:
        bench.write("pipe.py", HEAD + PIPELINES.get(name, name))
        return read_text(bench.compile())

    return document


def sagemaker(document: Document, *, fuse: bool = False, image: str | None = None, **settings: Json) -> Compiled:
    """Compiled, and valid."""
    result = compiled(document, plan(document, fuse=fuse, image=image), SageMakerSettings(**settings))
    assert check(result.definition).problems == ()
    return result


def steps(result: Compiled) -> dict[str, Json]:
    """Every step, those in branches too."""
    return dict(_walk(result.definition["Steps"]))


def _walk(found: list[Json]) -> Iterator[tuple[str, Json]]:
    for step in found:
        yield step["Name"], step
        for branch in ("IfSteps", "ElseSteps"):
            yield from _walk(step["Arguments"].get(branch, []))


def specifications(result: Compiled) -> dict[str, Json]:
    """Job -> what its program reads."""
    return {found["job"]: found for found in map(json.loads, result.files.values())}


def reviewed(result: Compiled) -> Json:
    """What a person reviews: addresses by job instead of by digest, and no copy of the document."""
    text = result.text()
    for address, content in result.files.items():
        text = text.replace(address, f"jobs/<digest of {json.loads(content)['job']}>/job.json")
    jobs = {name: {k: v for k, v in spec.items() if k != "document"} for name, spec in specifications(result).items()}
    return {"definition": json.loads(text), "jobs": jobs}


def compare(name: str, result: Compiled) -> None:
    path = SNAPSHOTS / f"{name}.json"
    text = json.dumps(reviewed(result), sort_keys=True, indent=1, ensure_ascii=False) + "\n"
    if os.environ.get("SEATRIAL_UPDATE_SNAPSHOTS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text(), f"{path.name} differs"


@pytest.mark.parametrize("name", sorted(PIPELINES))
def test_construct_compiles_as_reviewed(pipeline: Read, name: str) -> None:
    compare(name, sagemaker(pipeline(name), fuse=name not in UNFUSED))


def test_training_pipeline_compiles_as_reviewed(repository: Path) -> None:
    """The pipeline that this repository is about; at most 5 jobs, at most 3 one after the other."""
    path = repository / "pipelines" / "train.py"
    document = read_text(compile_pipeline(path, root=repository, image="seatrial"))
    result = sagemaker(document, fuse=True)
    compare("train", result)
    assert len(result.files) <= 5
    assert plan(document).figures.job_chain <= 3
    assert len(sagemaker(document).files) == 11, "a job for each task is valid, too"


def test_a_job_of_few_tasks_imports_nothing_beforehand(repository: Path) -> None:
    path = repository / "pipelines" / "train.py"
    document = read_text(compile_pipeline(path, root=repository, image="seatrial"))
    jobs = specifications(sagemaker(document, fuse=True, preload=("numpy",)))
    assert {name: spec.get("preload") for name, spec in jobs.items()} == {
        "train": ["numpy"],
        "decide": None,
        "release": None,
    }


def test_same_bytes_in_every_process(pipeline: Read, tmp_path: Path) -> None:
    """An accident of hashing would change the definition's digest, and with it every deployment."""
    document = pipeline("nested_choices")
    path = tmp_path / "p.yaml"
    path.write_text(yaml.safe_dump(dict(document.source)))
    program = (
        "import hashlib, sys; from pathlib import Path; from seatrial.document import read;"
        " from seatrial.document.plan import plan; from seatrial.clouds.aws.pipeline import compiled;"
        " from seatrial.clouds.aws.settings import SageMakerSettings as S;"
        " d = read(Path(sys.argv[1])); c = [compiled(d, plan(d, fuse=f), S()) for f in (True, False)];"
        " print(hashlib.sha256(''.join(x.text() + str(sorted(x.files.items())) for x in c).encode()).hexdigest())"
    )
    digests = set()
    for seed in ("0", "1", "77"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        ended = subprocess.run(
            [sys.executable, "-c", program, str(path)], env=environment, capture_output=True, text=True, check=True
        )
        digests.add(ended.stdout.strip())
    assert len(digests) == 1


def test_job_files_are_addressed_by_content(pipeline: Read) -> None:
    """A running pipeline must never meet the files of a newer one."""
    result = sagemaker(pipeline("training"))
    for address, content in result.files.items():
        assert address == f"jobs/{hashlib.sha256(content).hexdigest()}/job.json"
        assert address in result.text()


def test_definition_names_no_account_unless_told(pipeline: Read) -> None:
    """The same definition is valid in every account: what differs is asked for at the start."""
    result = sagemaker(pipeline("ordered"))
    assert [p["Name"] for p in result.definition["Parameters"]] == ["RoleArn", "ArtifactRoot", "ImageUri"]
    assert "arn:" not in result.text() and "s3://" not in result.text()
    told = sagemaker(
        pipeline("ordered"),
        role_arn="arn:aws:iam::123456789012:role/training",
        artifact_root="s3://bucket/demo",
        images={"bench": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/bench@sha256:" + "0" * 64},
    )
    assert told.definition["Parameters"] == []
    assert '"s3://bucket/demo"' in told.text()


def test_every_reach_of_settings_is_valid(pipeline: Read) -> None:
    result = sagemaker(
        pipeline("training"),
        kms_key="1234abcd-12ab-34cd-56ef-1234567890ab",
        subnets=("subnet-1",),
        security_groups=("sg-1",),
        tags={"team": "flights"},
        cache_expire_after="P1D",
    )
    found = steps(result)
    assert found["make"]["CacheConfig"] == {"Enabled": True, "ExpireAfter": "P1D"}
    assert found["fit"]["Arguments"]["VpcConfig"]["Subnets"] == ["subnet-1"]
    assert found["make"]["Arguments"]["ProcessingOutputConfig"]["KmsKeyId"]
    assert found["fit"]["Arguments"]["Tags"] == [{"Key": "team", "Value": "flights"}]


def test_disks_of_the_machine_itself_get_no_key(pipeline: Read) -> None:
    """They are encrypted anyway, and SageMaker refuses a job that names a key for them. Its outputs have the key."""
    machine = {"name": "ml.m5.24xlarge", "cpu": 96, "memory_gb": 384}
    for local in (False, True):
        instances = (Instance.model_validate({**machine, "local_disk": local}),)
        found = steps(sagemaker(pipeline("training"), kms_key="k", instances=instances))
        made, fit = found["make"]["Arguments"], found["fit"]["Arguments"]
        for machines in (made["ProcessingResources"]["ClusterConfig"], fit["ResourceConfig"]):
            assert machines.get("VolumeKmsKeyId") == (None if local else "k")
        assert (made["ProcessingOutputConfig"]["KmsKeyId"], fit["OutputDataConfig"]["KmsKeyId"]) == ("k", "k")


def test_the_table_knows_which_machines_have_disks_of_their_own() -> None:
    families = {each.name.split(".")[1] for each in SageMakerSettings().instances if each.local_disk}
    assert families == {"g4dn", "g5", "p4d"}


def test_results_are_reused_only_where_asked(pipeline: Read) -> None:
    """SageMaker compares arguments only: it does not see that the source tables changed."""
    assert "CacheConfig" not in sagemaker(pipeline("training")).text()
    cached = steps(sagemaker(pipeline("ordered"), cache_expire_after="P1D"))
    assert all("CacheConfig" not in step for step in cached.values()), "their component said cache=False"


def test_reused_step_is_not_told_its_run(pipeline: Read) -> None:
    """The run's id is part of what SageMaker compares: with it nothing would ever be found again."""
    step = steps(sagemaker(pipeline("training"), cache_expire_after="P1D"))["make"]
    assert "SEATRIAL_RUN" not in step["Arguments"]["Environment"]
    assert "SEATRIAL_RUN" in steps(sagemaker(pipeline("training")))["make"]["Arguments"]["Environment"]


def test_machine_fits_the_job(pipeline: Read) -> None:
    found = steps(sagemaker(pipeline("training")))
    assert found["make"]["Arguments"]["ProcessingResources"]["ClusterConfig"]["InstanceType"] == "ml.m5.large"
    assert found["fit"]["Arguments"]["ResourceConfig"]["InstanceType"] == "ml.m5.2xlarge"
    small = (Instance(name="ml.m5.large", cpu=2, memory_gb=8),)
    with pytest.raises(DocumentError, match="job 'fit' asks for 8 CPUs, 24 GB"):
        sagemaker(pipeline("training"), instances=small)


def test_interrupted_training_finds_what_it_had_finished(pipeline: Read) -> None:
    """Spot capacity goes away: the state of the job lies where SageMaker brings it back."""
    result = sagemaker(pipeline("training"))
    arguments = steps(result)["fit"]["Arguments"]
    assert arguments["EnableManagedSpotTraining"] is True
    assert (
        arguments["StoppingCondition"]["MaxWaitTimeInSeconds"] > arguments["StoppingCondition"]["MaxRuntimeInSeconds"]
    )
    state = specifications(result)["fit"]["state"]
    assert state.startswith(arguments["CheckpointConfig"]["LocalPath"] + "/")


def test_warm_pool_on_spot_capacity_is_refused(pipeline: Read) -> None:
    document = read_text(json.dumps(pipeline("warm_pool").source).replace('\\"spot\\": false', '\\"spot\\": true'))
    with pytest.raises(DocumentError, match="warm pool on spot capacity"):
        sagemaker(document)


def test_image_without_seatrial_runs_a_shell_script() -> None:
    """Seatrial's own program would fail there on the first line."""
    text = """
    pipelineInfo: {name: p}
    schemaVersion: 2.1.0
    components: {c: {executorLabel: e}}
    deploymentSpec: {executors: {e: {container: {image: "python:3.11", command: [sh, -c, "echo hello"]}}}}
    root: {dag: {tasks: {hello: {componentRef: {name: c}, taskInfo: {name: hello}}}}}
    """
    foreign, own = sagemaker(read_text(text)).files, sagemaker(read_text(text), image="bench").files
    assert [name.rpartition("/")[2] for name in foreign] == ["job.sh"]
    assert next(iter(foreign.values())).startswith(b"#!/bin/sh")
    assert [name.rpartition("/")[2] for name in own] == ["job.json"]


BEHIND = """
@dsl.pipeline(name="behind")
def p(model: str, dry: bool = False) -> None:
    fitted = warm.task(data=make.task(text="a").outputs["data"])
    with dsl.If(dry == True):
        first = register.task(model=model, package=fitted.outputs["model"])
    with dsl.Else():
        second = register.task(model=model, package=fitted.outputs["model"])
    announce.task(version=dsl.OneOf(first.outputs["version"], second.outputs["version"]))
"""


def test_step_behind_a_choice_is_refused_with_a_way_out(pipeline: Read) -> None:
    """Branches do not meet again in SageMaker: such a pipeline would wait for ever or fail at its creation."""
    with pytest.raises(DocumentError, match="job 'announce' needs job 'register', which choice") as caught:
        sagemaker(pipeline(BEHIND))
    assert "one job" in caught.value.todo


GIVEN = """
@dsl.pipeline(name="p")
def p({given}) -> None:
    ask.task(n=1, mode={name})
"""


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("RoleArn: str = 'x'", "'RoleArn' is also what the deployment gives"),
        ("mode: str = '" + "x" * 257 + "'", "257 characters"),
    ],
)
def test_parameters_that_cannot_be_handed_on_are_refused(pipeline: Read, given: str, told: str) -> None:
    document = pipeline(GIVEN.format(given=given, name=given.partition(":")[0]))
    with pytest.raises(DocumentError, match=told):
        sagemaker(document)


def test_quota_of_steps_is_told_before_the_service_does(pipeline: Read) -> None:
    with pytest.raises(DocumentError, match="has 4 steps") as caught:
        sagemaker(pipeline("static_loop"), max_steps=3)
    assert "share jobs" in caught.value.todo


def test_parameter_types(pipeline: Read) -> None:
    declared = {p["Name"]: p for p in sagemaker(pipeline("parameters")).definition["Parameters"]}
    assert declared["n"] == {"Name": "n", "Type": "Integer"}
    assert declared["rate"] == {"Name": "rate", "Type": "Float", "DefaultValue": 0.5}
    assert declared["table"] == {"Name": "table", "Type": "String", "DefaultValue": '{"a": 1, "b": 2}'}
    assert declared["extra"] == {"Name": "extra", "Type": "String", "DefaultValue": "null"}


def only(body: str, signature: str = "") -> str:
    return f'@dsl.pipeline(name="p")\ndef p({signature}) -> None:\n    {body}\n'


def test_function_called_by_name_lies_where_the_deployment_says(pipeline: Read) -> None:
    """A name alone is ambiguous: a SageMaker pipeline in the wrong region would fail when it is too late."""
    document = pipeline(only('notify.task(text="done")'))
    with pytest.raises(DocumentError, match="calls the function 'notify'"):
        sagemaker(document)
    step = steps(sagemaker(document, functions="arn:aws:lambda:eu-west-1:123456789012:function"))["notify"]
    assert step["FunctionArn"] == "arn:aws:lambda:eu-west-1:123456789012:function:notify"
    assert sagemaker(document, functions="arn:aws:lambda:eu-west-1:123456789012:function").files == {}


@pytest.mark.parametrize(
    ("body", "signature", "told"),
    [
        ("notify.task(text=given)", "given: Optional[str] = None", "parameter 'given' may be left out"),
        ("fail.task(message='x' * 3073)", "", "has 3,073 characters"),
        (
            "with dsl.ParallelFor(ask.task(n=1).outputs['names']) as item:\n        notify.task(text=item)\n"
            "        tell.task(text=item)",
            "",
            "a function is a step of its own",
        ),
    ],
)
def test_what_a_step_without_a_machine_cannot_do_is_refused(
    pipeline: Read, body: str, signature: str, told: str
) -> None:
    with pytest.raises(DocumentError, match=told):
        sagemaker(pipeline(only(body, signature)), functions="arn:aws:lambda:eu-west-1:123456789012:function")


def test_a_start_is_given_what_has_no_default_and_nothing_that_is_wrong(pipeline: Read) -> None:
    """KFP's older compilers write a default without saying that the parameter is optional."""
    document = pipeline("parameters")
    assert started_with(document, {"n": 3}) == {"n": "3"}
    source = json.loads(json.dumps(document.source))
    del source["root"]["inputDefinitions"]["parameters"]["rate"]["isOptional"]
    assert started_with(read_text(json.dumps(source)), {"n": 3}) == {"n": "3"}
    with pytest.raises(UsageError, match=r"'what' is unknown.*'mode' is null.*'n' is missing"):
        started_with(document, {"what": 1, "mode": None})
