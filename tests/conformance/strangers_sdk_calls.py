"""Uses the offline AWS as somebody's own script would, through the ``sagemaker`` 3.x SDK; run by ``strangers_sdk.py``.

Prints one JSON line for each row. A row's code asserts what the calls must have had as an effect.
"""

from __future__ import annotations

import json
import os
import sys
import tarfile
import tempfile
import time
import traceback
import warnings
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

# First, since it sets what the SDK reads when it is imported; from this folder, since the SDK's environment may hold
# another package named tests.
import sagemaker_sdk_pipelines as written  # type: ignore[import-not-found]  # isort: skip

import boto3
from botocore.exceptions import ClientError, WaiterError
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.processing import Processor, ScriptProcessor
from sagemaker.core.resources import (
    Endpoint,
    EndpointConfig,
    HyperParameterTuningJob,
    Model,
    ModelPackage,
    ModelPackageGroup,
    PipelineExecution,
    ProcessingJob,
    TrainingJob,
)
from sagemaker.core.shapes import (
    ContainerDefinition,
    ContainersItem,
    DesiredWeightAndCapacity,
    InferenceSpecification,
    MetricDefinition,
    OutputDataConfig,
    OutputParameter,
    ProcessingOutput,
    ProcessingS3Output,
    ProductionVariant,
)
from sagemaker.core.training.configs import Compute, InputData, SourceCode
from sagemaker.core.utils.utils import serialize
from sagemaker.core.workflow.parameters import ParameterString
from sagemaker.mlops.workflow.callback_step import CallbackOutput, CallbackOutputTypeEnum, CallbackStep
from sagemaker.mlops.workflow.parallelism_config import ParallelismConfiguration
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.retry import StepExceptionTypeEnum, StepRetryPolicy
from sagemaker.mlops.workflow.selective_execution_config import SelectiveExecutionConfig
from sagemaker.mlops.workflow.steps import ProcessingStep
from sagemaker.serve.model_builder import ModelBuilder
from sagemaker.train.model_trainer import ModelTrainer

BUCKET, IMAGE, ROLE = written.BUCKET, written.IMAGE, written.ROLE
REGION = "us-east-1"
ROWS: list[tuple[str, str, Callable[[], None]]] = []
POLL = 1


def row(area: str, what: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Declare a row of the table."""

    def add(check: Callable[[], None]) -> Callable[[], None]:
        ROWS.append((area, what, check))
        return check

    return add


class World:
    """Clients and what several rows share."""

    boto = boto3.Session(region_name=REGION)
    sagemaker = boto.client("sagemaker")
    s3 = boto.client("s3")
    session = Session(boto_session=boto, default_bucket=BUCKET)
    kit = written.Kit(written.session())

    def prepare(self) -> None:
        """A bucket, a role and a function, as an administrator would have made them."""
        self.s3.create_bucket(Bucket=BUCKET)
        for name, service in (("training", "sagemaker"), ("functions", "lambda")):
            principal = {
                "Effect": "Allow",
                "Principal": {"Service": f"{service}.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
            trust = {"Version": "2012-10-17", "Statement": [principal]}
            self.boto.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
        code = BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr(
                "tell.py",
                "import json\ndef handler(event, context):\n    return {'status': 'told ' + json.dumps(event)}\n",
            )
        self.boto.client("lambda").create_function(
            FunctionName="tell", Runtime="python3.11", Role="arn:aws:iam::123456789012:role/functions",
            Handler="tell.handler", Code={"ZipFile": code.getvalue()},
        )  # fmt: skip
        self.put("raw/accuracy.txt", "0.9")
        self.put("poor/accuracy.txt", "0.1")

    def put(self, key: str, text: str) -> None:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=text.encode())

    def keys(self, prefix: str) -> list[str]:
        return [each["Key"] for each in self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]

    def steps(self, execution: Any) -> dict[str, Any]:
        return {each["StepName"]: each for each in execution.list_steps()}

    def slow_pipeline(self, name: str) -> Any:
        step = self.processor(["python3", "-c", "import time; time.sleep(60)"]).run(inputs=[], outputs=[])
        return Pipeline(name, steps=[ProcessingStep("Slow", step_args=step)], sagemaker_session=self.kit.session)

    def processor(self, entrypoint: list[str], session: Any = None) -> Any:
        return Processor(
            role=ROLE, image_uri=IMAGE, instance_count=1, instance_type="ml.m5.large", entrypoint=entrypoint,
            sagemaker_session=session or self.kit.session, max_runtime_in_seconds=3600,
        )  # fmt: skip

    def trainer(self, script: str, name: str, **more: Any) -> Any:
        folder = tempfile.mkdtemp()
        Path(folder, "train.py").write_text(script)
        return ModelTrainer(
            training_image=IMAGE, role=ROLE, sagemaker_session=self.session, base_job_name=name,
            source_code=SourceCode(source_dir=folder, entry_script="train.py"),
            compute=Compute(instance_type="ml.m5.large", instance_count=more.pop("instances", 1)),
            output_data_config=OutputDataConfig(s3_output_path=f"s3://{BUCKET}/models"), **more,
        )  # fmt: skip

    def model(self, name: str, text: str) -> Any:
        body = BytesIO()
        with tarfile.open(fileobj=body, mode="w:gz") as archive:
            entry = tarfile.TarInfo("model.txt")
            entry.size = len(text)
            archive.addfile(entry, BytesIO(text.encode()))
        self.s3.put_object(Bucket=BUCKET, Key=f"archives/{name}.tar.gz", Body=body.getvalue())
        container = ContainerDefinition(image=IMAGE, model_data_url=f"s3://{BUCKET}/archives/{name}.tar.gz")
        return Model.create(model_name=name, primary_container=container, execution_role_arn=ROLE)

    def config(self, name: str, *models: str) -> Any:
        variants = [
            ProductionVariant(
                variant_name=f"v-{model}",
                model_name=model,
                initial_instance_count=1,
                instance_type="ml.m5.large",
                initial_variant_weight=1.0,
            )
            for model in models
        ]  # fmt: skip
        return EndpointConfig.create(endpoint_config_name=name, production_variants=variants)


w = World()


def refused(call: Callable[[], Any], *words: str) -> Exception:
    """The error of a call that has to fail with these words in it."""
    try:
        call()
    except Exception as told:
        missing = [word for word in words if word not in str(told)]
        assert not missing, f"the error lacks {missing}: {told}"
        return told
    raise AssertionError("the call was accepted")


# the session


@row("Session", "upload_data, read_s3_file, list_s3_files, download_data")
def _() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "a.csv").write_text("1,2")
        assert w.session.upload_data(folder, key_prefix="data") == f"s3://{BUCKET}/data"
        assert w.session.read_s3_file(BUCKET, "data/a.csv") == "1,2"
        assert w.session.list_s3_files(BUCKET, "data") == ["data/a.csv"]
        Path(folder, "back").mkdir()
        w.session.download_data(f"{folder}/back", BUCKET, "data/a.csv")
        assert Path(folder, "back", "a.csv").read_text() == "1,2"


# pipelines


@row("Pipeline", "create of a name that exists is refused; upsert creates, then updates; describe")
def _() -> None:
    pipeline = written.gate(w.kit)
    assert pipeline.upsert(role_arn=ROLE)["PipelineArn"].endswith(":pipeline/gate")
    first = pipeline.describe()
    assert json.loads(first["PipelineDefinition"]) == json.loads(pipeline.definition())
    told = refused(lambda: pipeline.create(role_arn=ROLE), "already exists")
    assert str(told).count("An error occurred") == 1, told
    pipeline.upsert(role_arn=ROLE, description="second", tags=[{"Key": "team", "Value": "a"}])
    second = pipeline.describe()
    assert second["PipelineDescription"] == "second"
    assert second["LastModifiedTime"] > first["LastModifiedTime"]
    assert w.sagemaker.list_tags(ResourceArn=second["PipelineArn"])["Tags"] == [{"Key": "team", "Value": "a"}]


@row("Pipeline", "start, wait, list_steps: jobs run, gate passes, a version is registered, the function is told")
def _() -> None:
    pipeline = written.gate(w.kit)
    execution = pipeline.start(parameters={"LearningRate": "0.1", "Rows": 7}, execution_display_name="shown")
    execution.wait(delay=POLL, max_attempts=120)
    said = execution.describe()
    assert said["PipelineExecutionStatus"] == "Succeeded", said
    assert said["PipelineExecutionDisplayName"] == "shown"
    steps = w.steps(execution)
    assert set(steps) == {"Preprocess", "Train", "Evaluate", "Gate", "Register", "Tell"}, set(steps)
    assert {each["StepStatus"] for each in steps.values()} == {"Succeeded"}
    job = TrainingJob.get(steps["Train"]["Metadata"]["TrainingJob"]["Arn"].rsplit("/", 1)[1])
    assert job.hyper_parameters["lr"] == "0.1", job.hyper_parameters
    prepared = ProcessingJob.get(steps["Preprocess"]["Metadata"]["ProcessingJob"]["Arn"].rsplit("/", 1)[1])
    assert prepared.app_specification.container_arguments == ["--rows", "7"]
    package = ModelPackage.get(steps["Register"]["Metadata"]["RegisterModel"]["Arn"])
    assert package.model_approval_status == "PendingManualApproval"
    assert package.inference_specification.containers[0].model_data_url == job.model_artifacts.s3_model_artifacts
    told = steps["Tell"]["Metadata"]["Lambda"]["OutputParameters"]
    assert told[0]["Name"] == "status" and package.model_package_arn in told[0]["Value"], told
    names = {each["Name"]: each["Value"] for each in execution.list_parameters()["PipelineParameters"]}
    assert names["Rows"] == "7" and names["LearningRate"] == "0.1", names


@row("Pipeline", "the same again: a cached step names the execution it comes from")
def _() -> None:
    pipeline = written.gate(w.kit)
    execution = pipeline.start(parameters={"LearningRate": "0.1", "Rows": 7})
    execution.wait(delay=POLL, max_attempts=120)
    hit = w.steps(execution)["Preprocess"].get("CacheHitResult", {})
    assert hit.get("SourcePipelineExecutionArn", "").startswith(pipeline.describe()["PipelineArn"]), hit
    assert "CacheHitResult" not in w.steps(execution)["Train"]


@row("Pipeline", "a gate that does not pass: FailStep's words, WaiterError, Failed")
def _() -> None:
    execution = written.gate(w.kit).start(parameters={"InputData": f"s3://{BUCKET}/poor"})
    try:
        execution.wait(delay=POLL, max_attempts=120)
        raise AssertionError("wait returned")
    except WaiterError as failed:
        assert failed.last_response["PipelineExecutionStatus"] == "Failed"
        assert failed.last_response["FailureReason"]
    steps = w.steps(execution)
    assert "Register" not in steps
    assert steps["Reject"]["Metadata"]["Fail"]["ErrorMessage"] == "accuracy below 0.8", steps["Reject"]
    assert steps["Gate"]["Metadata"]["Condition"]["Outcome"] in ("False", "false")


@row("Pipeline", "parameters: unknown names, wrong types and values outside the enumeration are refused")
def _() -> None:
    pipeline = written.gate(w.kit)
    refused(lambda: pipeline.start(parameters={"Rowz": 1}), "Rowz")
    refused(lambda: pipeline.start(parameters={"Rows": "many"}), "Rows")
    refused(lambda: pipeline.start(parameters={"Approval": "Sure"}), "Approval")


@row("Pipeline", "build_parameters_from_execution, list_executions page by page")
def _() -> None:
    pipeline = written.gate(w.kit)
    page = pipeline.list_executions(sort_by="CreationTime", sort_order="Ascending", max_results=2)
    seen = [each["PipelineExecutionArn"] for each in page["PipelineExecutionSummaries"]]
    parameters = pipeline.build_parameters_from_execution(seen[0], {"LearningRate": "0.3"})
    assert parameters["Rows"] == "7" and parameters["LearningRate"] == "0.3", parameters
    page = pipeline.list_executions(
        sort_by="CreationTime", sort_order="Ascending", max_results=2, next_token=page["NextToken"]
    )
    seen += [each["PipelineExecutionArn"] for each in page["PipelineExecutionSummaries"]]
    assert len(seen) == len(set(seen)) == 3, seen


@row("Pipeline", "conditions: every form, nested, parameters decide the branch")
def _() -> None:
    pipeline = written.conditions(w.kit)
    pipeline.upsert(role_arn=ROLE)
    execution = pipeline.start()
    execution.wait(delay=POLL, max_attempts=60)
    assert w.steps(execution)["Small"]["StepStatus"] == "Succeeded"
    many = pipeline.start(parameters={"Count": 30})
    refused(lambda: many.wait(delay=POLL, max_attempts=60), "Failed")
    assert w.steps(many)["TooMany"]["Metadata"]["Fail"]["ErrorMessage"] == "too many"


@row("Pipeline", "stop: the job is stopped too")
def _() -> None:
    pipeline = w.slow_pipeline("slow")
    pipeline.upsert(role_arn=ROLE)
    execution = pipeline.start()
    until(lambda: w.steps(execution).get("Slow", {}).get("Metadata"))
    execution.stop()
    until(lambda: execution.describe()["PipelineExecutionStatus"] == "Stopped")
    step = w.steps(execution)["Slow"]
    assert step["StepStatus"] == "Stopped"
    assert (
        ProcessingJob.get(step["Metadata"]["ProcessingJob"]["Arn"].rsplit("/", 1)[1]).processing_job_status == "Stopped"
    )


@row("Pipeline", "retry of a failed execution through core resources")
def _() -> None:
    step = w.kit.processing("Fetch", [w.kit.source("late", f"s3://{BUCKET}/late")], ["made"])
    pipeline = Pipeline("again", steps=[step], sagemaker_session=w.kit.session)
    pipeline.upsert(role_arn=ROLE)
    execution = pipeline.start()
    refused(lambda: execution.wait(delay=POLL, max_attempts=60), "Failed")
    assert "late" in w.steps(execution)["Fetch"]["FailureReason"]
    w.put("late/file.txt", "now")
    resource = PipelineExecution.get(execution.arn)
    resource.retry(client_request_token="r" * 32)
    resource.wait_for_status("Succeeded", poll=POLL, timeout=60)


@row("Pipeline", "callback: the message arrives, the answer goes on to the next step")
def _() -> None:
    sqs = w.boto.client("sqs")
    queue = sqs.create_queue(QueueName="ask")["QueueUrl"]
    ask = CallbackStep(
        "Ask", sqs_queue_url=queue, inputs={"n": 4}, outputs=[CallbackOutput("answer", CallbackOutputTypeEnum.String)]
    )
    after = w.kit.function("After", {"answer": ask.properties.Outputs["answer"]})
    pipeline = Pipeline("asking", steps=[ask, after], sagemaker_session=w.kit.session)
    pipeline.upsert(role_arn=ROLE)
    execution = pipeline.start()
    messages = until(lambda: sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages"))
    body = json.loads(messages[0]["Body"])
    assert body["arguments"] == {"n": 4} and body["pipelineExecutionArn"] == execution.arn, body
    PipelineExecution.get(execution.arn).send_execution_step_success(
        callback_token=body["token"], output_parameters=[OutputParameter(name="answer", value="yes")]
    )
    execution.wait(delay=POLL, max_attempts=60)
    assert '"answer": "yes"' in w.steps(execution)["After"]["Metadata"]["Lambda"]["OutputParameters"][0]["Value"]


@row("Pipeline", "retry policies: a program's own failure is not repeated")
def _() -> None:
    policy = StepRetryPolicy(exception_types=[StepExceptionTypeEnum.THROTTLING], max_attempts=5)
    args = w.processor(["python3", "-c", "raise SystemExit('no')"]).run(inputs=[], outputs=[])
    step = ProcessingStep("Wrong", step_args=args, retry_policies=[policy])
    pipeline = Pipeline("policies", steps=[step], sagemaker_session=w.kit.session)
    pipeline.upsert(role_arn=ROLE)
    execution = pipeline.start()
    refused(lambda: execution.wait(delay=POLL, max_attempts=60), "Failed")
    said = w.steps(execution)["Wrong"]
    assert said["AttemptCount"] == 1 and "no" in said["FailureReason"], said


@row("Pipeline", "parallelism: MaxParallelExecutionSteps keeps two steps apart")
def _() -> None:
    command = ["python3", "-c", "import time; time.sleep(1)"]
    steps = [ProcessingStep(f"Apart{n}", step_args=w.processor(command).run(inputs=[], outputs=[])) for n in range(2)]
    pipeline = Pipeline("apart", steps=steps, sagemaker_session=w.kit.session)
    pipeline.upsert(role_arn=ROLE)
    execution = pipeline.start(parallelism_config=ParallelismConfiguration(max_parallel_execution_steps=1))
    execution.wait(delay=POLL, max_attempts=60)
    one, two = sorted(w.steps(execution).values(), key=lambda each: each["StartTime"])
    assert two["StartTime"] >= one["EndTime"]


@row("Pipeline", "a definition beyond 100 KB goes through S3, and runs")
def _() -> None:
    parameter = ParameterString("Long", default_value="x" * 1000)
    many = [ParameterString(f"Long{n}", default_value="x" * 1000) for n in range(110)]
    pipeline = Pipeline(
        "large",
        parameters=[parameter, *many],
        steps=[w.kit.function("Only", {"n": 1})],
        sagemaker_session=w.kit.session,
    )
    assert len(pipeline.definition()) > 1024 * 100
    pipeline.upsert(role_arn=ROLE)
    pipeline.upsert(role_arn=ROLE)
    assert json.loads(pipeline.describe()["PipelineDefinition"])["Steps"][0]["Name"] == "Only"
    execution = pipeline.start()
    execution.wait(delay=POLL, max_attempts=60)
    assert w.steps(execution)["Only"]["StepStatus"] == "Succeeded"


@row("Pipeline", "selective execution")
def _() -> None:
    pipeline = written.gate(w.kit)
    config = SelectiveExecutionConfig(selected_steps=["Evaluate"], reference_latest_execution=True)
    execution = pipeline.start(selective_execution_config=config)
    execution.wait(delay=POLL, max_attempts=60)
    assert set(w.steps(execution)) == {"Evaluate"}, set(w.steps(execution))


@row("Pipeline", "versions: latest_pipeline_version_id")
def _() -> None:
    assert written.gate(w.kit).latest_pipeline_version_id == 2


@row("Pipeline", "step types that are not rehearsed: EMR, loops, clean-up")
def _() -> None:
    for build in (written.spark, written.loop, written.order):
        build(w.kit).upsert(role_arn=ROLE)


@row("Pipeline", "delete: describe finds nothing afterwards")
def _() -> None:
    pipeline = w.slow_pipeline("slow")
    pipeline.delete()
    told = refused(pipeline.describe, "slow")
    assert isinstance(told, ClientError) and told.response["Error"]["Code"] == "ResourceNotFound", told


# processing


@row("Processing", "Processor.run(wait, logs): inputs, outputs, arguments, environment")
def _() -> None:
    processor = w.processor(["python3", "/opt/program/run.py"], w.session)
    processor.env = {"WORD": "given"}
    kit = w.kit
    output = ProcessingOutput(
        output_name="made",
        s3_output=ProcessingS3Output(
            s3_uri=f"s3://{BUCKET}/alone", local_path="/opt/ml/processing/made", s3_upload_mode="EndOfJob"
        ),
    )
    processor.run(
        inputs=[kit.source("raw", f"s3://{BUCKET}/raw")],
        outputs=[output],
        arguments=["--rows", "3"],
        wait=True,
        logs=True,
    )
    told = json.loads(w.s3.get_object(Bucket=BUCKET, Key="alone/told.json")["Body"].read())
    assert told == {"arguments": ["--rows", "3"], "word": "given", "inputs": ["raw/accuracy.txt"]}, told


@row("Processing", "ScriptProcessor.run with a local script")
def _() -> None:
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "script.py")
        script.write_text("import sys; print('hello', sys.argv[1:])")
        processor = ScriptProcessor(
            role=ROLE, image_uri=IMAGE, command=["python3"], instance_count=1, instance_type="ml.m5.large",
            sagemaker_session=w.session, base_job_name="script",
        )  # fmt: skip
        processor.run(code=str(script), arguments=["a", "b"], wait=True, logs=False)
    name = processor.latest_job.processing_job_name
    streams = w.boto.client("logs").describe_log_streams(
        logGroupName="/aws/sagemaker/ProcessingJobs", logStreamNamePrefix=name
    )
    events = w.boto.client("logs").get_log_events(
        logGroupName="/aws/sagemaker/ProcessingJobs", logStreamName=streams["logStreams"][0]["logStreamName"]
    )
    assert [each["message"] for each in events["events"]] == ["hello ['a', 'b']"]


@row("Processing", "a failing job: wait raises with the reason")
def _() -> None:
    processor = w.processor(["python3", "-c", "raise SystemExit('deliberate')"], w.session)
    processor.run(wait=False, logs=False)
    # Processor.run(wait=True) would end in an AttributeError of the SDK's own: it looks for an exception in botocore
    job = ProcessingJob.get(processor.latest_job.processing_job_name)
    refused(lambda: job.wait(poll=POLL, timeout=60, logs=True), "deliberate", "exit code: 1")


@row("Processing", "ProcessingJob.get, get_all by name and state, stop, wait")
def _() -> None:
    processor = w.processor(["python3", "-c", "import time; time.sleep(60)"], w.session)
    processor.run(wait=False, logs=False, job_name="to-be-stopped")
    job = ProcessingJob.get("to-be-stopped")
    assert [each.processing_job_name for each in ProcessingJob.get_all(name_contains="to-be-stop")] == ["to-be-stopped"]
    job.stop()
    job.wait(poll=POLL, timeout=60)
    assert job.processing_job_status == "Stopped"
    stopped = [each.processing_job_name for each in ProcessingJob.get_all(status_equals="Stopped")]
    assert "to-be-stopped" in stopped


# training


TRAIN = """
import json, os, sys
print("accuracy=0.75;")
lr = json.load(open("/opt/ml/input/config/hyperparameters.json"))["lr"]
given = open("/opt/ml/input/data/train/accuracy.txt").read()
open(os.path.join(os.environ["SM_MODEL_DIR"], "model.txt"), "w").write(f"{lr} {given}")
"""


@row("Training", "ModelTrainer.train with source code, channels, hyperparameters, metrics; wait and logs")
def _() -> None:
    trainer = w.trainer(TRAIN, "fitted", hyperparameters={"lr": 0.5})
    trainer.with_metric_definitions([MetricDefinition(name="accuracy", regex="accuracy=([0-9.]+);")])
    trainer.train([InputData(channel_name="train", data_source=f"s3://{BUCKET}/raw")], wait=True, logs=True)
    job = trainer._latest_training_job
    job.refresh()
    assert job.training_job_status == "Completed"
    assert [(each.metric_name, each.value) for each in job.final_metric_data_list] == [("accuracy", 0.75)]
    with tempfile.TemporaryDirectory() as folder:
        w.session.download_data(folder, BUCKET, job.model_artifacts.s3_model_artifacts.split("/", 3)[3])
        with tarfile.open(Path(folder, "model.tar.gz")) as archive:
            archive.extract("model.txt", folder, filter="data")
        assert Path(folder, "model.txt").read_text() == "0.5 0.9"
    assert [
        each["Status"]
        for each in w.sagemaker.describe_training_job(TrainingJobName=job.training_job_name)[
            "SecondaryStatusTransitions"
        ]
    ] == ["Starting", "Downloading", "Training", "Uploading", "Completed"]


@row("Training", "a script that raises: wait raises with what the SDK's driver wrote; the log has the script's words")
def _() -> None:
    trainer = w.trainer("raise ValueError('deliberate')", "broken")
    refused(lambda: trainer.train(wait=True, logs=False), "train.py", "exit code: 1")
    name, logs, group = (
        trainer._latest_training_job.training_job_name,
        w.boto.client("logs"),
        "/aws/sagemaker/TrainingJobs",
    )
    found = logs.filter_log_events(logGroupName=group, logStreamNamePrefix=name, filterPattern='"deliberate"')["events"]
    assert any(each["message"] == "ValueError: deliberate" for each in found), found


@row("Training", "TrainingJob.get_all by name, state and time; stop; wait")
def _() -> None:
    trainer = w.trainer("import time; time.sleep(60)", "endless")
    trainer.train(wait=False, logs=False)
    job = trainer._latest_training_job
    until(lambda: TrainingJob.get(job.training_job_name).secondary_status == "Training")
    running = [
        each.training_job_name for each in TrainingJob.get_all(status_equals="InProgress", name_contains="endless")
    ]
    assert running == [job.training_job_name]
    job.stop()
    job.wait(poll=POLL, timeout=60)
    assert job.training_job_status == "Stopped"
    everything = [
        each.training_job_name for each in TrainingJob.get_all(sort_by="CreationTime", sort_order="Ascending")
    ]
    assert len(everything) == len(set(everything)) >= 4 and everything[-1] == job.training_job_name, everything


@row("Training", "a role that nobody made is refused with the service's words")
def _() -> None:
    trainer = w.trainer("pass", "norole")
    trainer.role = "arn:aws:iam::123456789012:role/nobody"
    refused(lambda: trainer.train(wait=False, logs=False), "Could not assume role")


@row("Session", "an operation that moto lacks (iam:SimulatePrincipalPolicy) is refused at once, not retried")
def _() -> None:
    iam = w.boto.client("iam")
    told = refused(
        lambda: iam.simulate_principal_policy(PolicySourceArn=ROLE, ActionNames=["s3:GetObject"]),
        "UnsupportedOperation",
    )
    assert isinstance(told, ClientError) and told.response["ResponseMetadata"]["RetryAttempts"] == 0


@row("Training", "several instances")
def _() -> None:
    w.trainer("pass", "wide", instances=2).train(wait=False, logs=False)


@row("Training", "TrainingJob.delete")
def _() -> None:
    job = TrainingJob.get_all(status_equals="Stopped", name_contains="endless").__next__()
    job.delete()
    refused(lambda: TrainingJob.get(job.training_job_name), "not found")


@row("Training", "HyperParameterTuningJob.get_all")
def _() -> None:
    list(HyperParameterTuningJob.get_all())


# models and endpoints


@row("Model", "create, get, get_all, a second of the same name refused")
def _() -> None:
    w.model("alpha", "alpha")
    w.model("beta", "beta")
    assert Model.get("alpha").primary_container.image == IMAGE
    assert {each.model_name for each in Model.get_all()} >= {"alpha", "beta"}
    refused(lambda: w.model("alpha", "alpha"), "already existing model")


@row("Endpoint", "EndpointConfig.create, Endpoint.create, wait_for_status, invoke")
def _() -> None:
    w.config("first", "alpha")
    endpoint = Endpoint.create(endpoint_name="served", endpoint_config_name="first")
    endpoint.wait_for_status("InService", poll=POLL, timeout=60)
    answer = endpoint.invoke(body=b"1,2", content_type="text/csv", accept="text/csv")
    assert answer.body.read() == b"alpha:1,2"
    assert answer.invoked_production_variant == "v-alpha"


@row("Endpoint", "update to two variants, target a variant, shift weights")
def _() -> None:
    w.config("second", "alpha", "beta")
    endpoint = Endpoint.get("served")
    endpoint.endpoint_config_name = "second"
    endpoint.update()
    endpoint.wait_for_status("InService", poll=POLL, timeout=60)
    assert endpoint.endpoint_config_name == "second"
    assert endpoint.invoke(body=b"x", target_variant="v-beta").body.read() == b"beta:x"
    # not 0: the SDK drops a weight of nothing
    weights = [
        DesiredWeightAndCapacity(variant_name="v-alpha", desired_weight=1e-9),
        DesiredWeightAndCapacity(variant_name="v-beta", desired_weight=1.0),
    ]
    endpoint.update_weights_and_capacities(desired_weights_and_capacities=weights)
    endpoint.wait_for_status("InService", poll=POLL, timeout=60)
    assert {endpoint.invoke(body=b"x").body.read() for _ in range(20)} == {b"beta:x"}
    wrong = [DesiredWeightAndCapacity(variant_name="v-gamma", desired_weight=1.0)]
    refused(lambda: endpoint.update_weights_and_capacities(desired_weights_and_capacities=wrong), "v-gamma")


@row("Endpoint", "get_all by name and state; a model in use, an endpoint without configuration are refused")
def _() -> None:
    assert [each.endpoint_name for each in Endpoint.get_all(name_contains="serv", status_equals="InService")] == [
        "served"
    ]
    refused(
        lambda: Endpoint.create(endpoint_name="other", endpoint_config_name="nothing"),
        "Could not find endpoint configuration",
        "arn:aws:sagemaker",
    )
    refused(lambda: w.config("third", "gamma"), "Could not find model")


@row("Endpoint", "delete, wait_for_delete; describe and invoke find nothing")
def _() -> None:
    endpoint = Endpoint.get("served")
    endpoint.delete()
    endpoint.wait_for_delete(poll=POLL, timeout=60)
    refused(lambda: Endpoint.get("served"), "Could not find endpoint")
    refused(lambda: endpoint.invoke(body=b"x"), "not found")
    for name in ("first", "second"):
        EndpointConfig.get(name).delete()
    refused(lambda: EndpointConfig.get("first"), "Could not find endpoint configuration")


@row("Endpoint", "ModelBuilder.build and deploy")
def _() -> None:
    builder = ModelBuilder(
        image_uri=IMAGE, s3_model_data_url=f"s3://{BUCKET}/archives/alpha.tar.gz", role_arn=ROLE,
        sagemaker_session=w.session, instance_type="ml.m5.large",
    )  # fmt: skip
    model = builder.build(model_name="built")
    assert Model.get(model.model_name).primary_container.model_data_url.endswith("alpha.tar.gz")
    endpoint = builder.deploy(
        endpoint_name="deployed", initial_instance_count=1, instance_type="ml.m5.large", wait=True
    )
    assert endpoint.invoke(body=b"y").body.read() == b"alpha:y"
    endpoint.delete()


@row("Endpoint", "serverless variants")
def _() -> None:
    # through boto3: the SDK writes MemorySizeInMb, which botocore does not know
    variant = {
        "VariantName": "v",
        "ModelName": "alpha",
        "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 1},
    }
    w.sagemaker.create_endpoint_config(EndpointConfigName="serverless", ProductionVariants=[variant])
    Endpoint.create(endpoint_name="serverless", endpoint_config_name="serverless")


# the registry


def version(group: str, approval: str) -> Any:
    container = ContainersItem(image=IMAGE, model_data_url=f"s3://{BUCKET}/archives/alpha.tar.gz")
    specification = InferenceSpecification(
        containers=[container], supported_content_types=["text/csv"], supported_response_mime_types=["text/csv"]
    )
    # through boto3: ModelPackage.create reads a member of the answer that CreateModelPackage does not have
    request = {"ModelPackageGroupName": group, "InferenceSpecification": specification, "ModelApprovalStatus": approval}
    return ModelPackage.get(w.sagemaker.create_model_package(**serialize(request))["ModelPackageArn"])


@row("Registry", "ModelPackageGroup, ModelPackage versions, approval, and the event that tells it")
def _() -> None:
    queue = w.boto.client("sqs").create_queue(QueueName="approvals")["QueueUrl"]
    arn = w.boto.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    events = w.boto.client("events")
    pattern = {
        "source": ["aws.sagemaker"],
        "detail": {"ModelPackageGroupName": ["trees"], "ModelApprovalStatus": ["Approved"]},
    }
    events.put_rule(Name="approved", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="approved", Targets=[{"Id": "q", "Arn": arn}])
    ModelPackageGroup.create(model_package_group_name="trees", model_package_group_description="all trees")
    first, second = version("trees", "PendingManualApproval"), version("trees", "PendingManualApproval")
    assert (first.model_package_version, second.model_package_version) == (1, 2)
    second.update(model_approval_status="Approved", approval_description="looked at it")
    second.refresh()
    assert (second.model_approval_status, second.approval_description) == ("Approved", "looked at it")
    messages = until(lambda: w.boto.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages"))
    assert json.loads(messages[0]["Body"])["detail"]["ModelPackageVersion"] == 2
    approved = ModelPackage.get_all(model_package_group_name="trees", model_approval_status="Approved")
    assert [each.model_package_version for each in approved] == [2]
    refused(lambda: ModelPackageGroup.create(model_package_group_name="trees"), "already exists")
    refused(lambda: ModelPackage.get(second.model_package_arn.replace("/2", "/9")), "9")


@row("Registry", "delete a version, then the group; a group with versions is refused")
def _() -> None:
    group = ModelPackageGroup.get("trees")
    refused(group.delete, "trees")
    arns = [each.model_package_arn for each in ModelPackage.get_all(model_package_group_name="trees")]
    w.sagemaker.delete_model_package(ModelPackageName=arns[0])
    refused(lambda: ModelPackage.get(arns[0]), "does not exist")
    assert version("trees", "Rejected").model_package_version == 3
    for arn in (arns[1], arns[1].replace("/2", "/3")):
        w.sagemaker.delete_model_package(ModelPackageName=arn)
    assert list(ModelPackage.get_all(model_package_group_name="trees")) == []
    group.delete()
    refused(lambda: ModelPackageGroup.get("trees"), "does not exist")


def until(look: Callable[[], Any], limit_s: float = 60) -> Any:
    """What ``look`` gives once it is true."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        seen = look()
        if seen:
            return seen
        time.sleep(0.1)
    raise AssertionError(f"not so within {limit_s} s")


def main() -> None:
    """Run every row, or those whose words are asked for; one JSON line each."""
    warnings.simplefilter("ignore")
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the SDK prints a lot
    w.prepare()
    for area, what, check in ROWS:
        if len(sys.argv) > 1 and not any(word in f"{area} {what}" for word in sys.argv[1:]):
            continue
        begun = time.monotonic()
        outcome, detail = "worked", ""
        try:
            check()
        except Exception as told:
            unsupported = "UnsupportedOperation" in str(told) or "rehearsal does not support" in str(told)
            outcome = "refused" if unsupported else "wrong"
            detail = str(told).splitlines()[0] if unsupported else traceback.format_exc()
        line = {"area": area, "what": what, "outcome": outcome, "detail": detail, "seconds": time.monotonic() - begun}
        out.write(json.dumps(line) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
