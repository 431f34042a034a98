"""Pipelines run: steps in their real order on real values, and each way to end is the way that AWS reports."""

from __future__ import annotations

import io
import json
import zipfile
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from seatrial.rehearsal.aws.pipelines.definition import Step
from seatrial.rehearsal.aws.pipelines.steps import Callbacks, Running, StepStopped, run_callback
from seatrial.rehearsal.aws.pipelines.values import Scope
from seatrial.rehearsal.aws.world import World
from tests.racing import race


def _step(bench: Any, name: str, code: str, **more: Any) -> dict[str, Any]:
    """A processing step that runs ``code``."""
    arguments = bench.processing_request(name, code)
    del arguments["ProcessingJobName"]
    return {"Name": name, "Type": "Processing", "Arguments": arguments} | more


def _create(bench: Any, name: str, steps: list[dict[str, Any]], parameters: Any = ()) -> None:
    definition = {"Version": "2020-12-01", "Parameters": list(parameters), "Steps": steps}
    bench.sagemaker.create_pipeline(
        PipelineName=name,
        PipelineDefinition=json.dumps(definition),
        RoleArn=bench.role,
        ClientRequestToken=f"{name:0>32}",
    )


def _start(bench: Any, name: str, **parameters: str) -> str:
    given = [{"Name": key, "Value": value} for key, value in parameters.items()]
    return str(
        bench.sagemaker.start_pipeline_execution(PipelineName=name, PipelineParameters=given)["PipelineExecutionArn"]
    )


def _ended(bench: Any, arn: str) -> dict[str, Any]:
    said: dict[str, Any] = bench.until(
        lambda: bench.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn),
        lambda d: d["PipelineExecutionStatus"] not in ("Executing", "Stopping"),
    )
    return said


def _steps(bench: Any, arn: str) -> dict[str, dict[str, Any]]:
    listed = bench.sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn, SortOrder="Ascending")
    return {step["StepName"]: step for step in listed["PipelineExecutionSteps"]}


SCORE = "import json; open('/opt/ml/processing/out/score.json', 'w').write(json.dumps({'auc': [0.1, %s]}))"
COPY = "import shutil; shutil.copy('/opt/ml/processing/before/score.json', '/opt/ml/processing/out/copied.json')"
REPORT = [{"PropertyFileName": "Report", "OutputName": "made", "FilePath": "score.json"}]
AUC = {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.score.PropertyFiles.Report"}, "Path": "auc[1]"}}


def _decide(bench: Any, good: list[dict[str, Any]], bad: list[dict[str, Any]]) -> dict[str, Any]:
    condition = {"Type": "GreaterThanOrEqualTo", "LeftValue": AUC, "RightValue": {"Get": "Parameters.Least"}}
    arguments = {"Conditions": [condition], "IfSteps": good, "ElseSteps": bad}
    return {"Name": "decide", "Type": "Condition", "Arguments": arguments}


LEAST = [{"Name": "Least", "Type": "Float", "DefaultValue": 0.7}]


def test_values_flow_from_step_to_step_and_decide(bench: Any) -> None:
    """An output's URI, a number in a file, a parameter: all three decide what runs, as they will in the cloud."""
    copy = _step(bench, "copy", COPY)
    made = {"Get": "Steps.score.ProcessingOutputConfig.Outputs['made'].S3Output.S3Uri"}
    copy["Arguments"]["ProcessingInputs"].append(bench.channel("before", made, "before"))
    end = {
        "Name": "refuse",
        "Type": "Fail",
        "Arguments": {"ErrorMessage": {"Std:Join": {"On": " ", "Values": ["auc", AUC]}}},
    }
    steps = [_step(bench, "score", SCORE % 0.75, PropertyFiles=REPORT), _decide(bench, [copy], [end])]
    _create(bench, "flow", steps, LEAST)

    arn = _start(bench, "flow")
    assert _ended(bench, arn)["PipelineExecutionStatus"] == "Succeeded", _steps(bench, arn)
    ran = _steps(bench, arn)
    assert list(ran) == ["score", "decide", "copy"]
    assert ran["decide"]["Metadata"] == {"Condition": {"Outcome": "True"}}
    assert ran["score"]["EndTime"] <= ran["copy"]["StartTime"]
    assert json.loads(bench.read("copy/made/copied.json")) == {"auc": [0.1, 0.75]}
    job = ran["score"]["Metadata"]["ProcessingJob"]["Arn"].rsplit("/", 1)[1]
    assert job.startswith(f"pipelines-{arn.rsplit('/', 1)[1]}-score-")

    arn = _start(bench, "flow", Least="0.8")
    said = _ended(bench, arn)
    assert said["PipelineExecutionStatus"] == "Failed"
    assert said["FailureReason"] == "Step failure: One or multiple steps failed."
    ran = _steps(bench, arn)
    assert list(ran) == ["score", "decide", "refuse"]
    assert ran["refuse"]["FailureReason"] == "auc 0.75"


def test_a_failing_step_fails_the_execution_and_nothing_after_it_runs(bench: Any) -> None:
    """moto says Succeeded in five milliseconds."""
    after = _step(bench, "after", SCORE % 1, DependsOn=["breaks"])
    _create(bench, "broken", [_step(bench, "breaks", "raise SystemExit(4)"), after])
    arn = _start(bench, "broken")
    assert _ended(bench, arn)["PipelineExecutionStatus"] == "Failed"
    ran = _steps(bench, arn)
    assert list(ran) == ["breaks"]
    assert ran["breaks"]["FailureReason"].endswith("exit code: 4")


def test_a_failed_execution_can_be_retried_from_where_it_failed(bench: Any) -> None:
    """What succeeded is kept; what failed runs again, and passes once its cause is gone."""
    look = "open('/opt/ml/processing/out/b', 'w').write(open('/opt/ml/processing/late/a.txt').read())"
    late = _step(bench, "late", look, DependsOn=["first"])
    late["Arguments"]["ProcessingInputs"].append(bench.channel("late", f"s3://{bench.bucket}/late", "late"))
    _create(bench, "again", [_step(bench, "first", SCORE % 1), late])
    arn = _start(bench, "again")
    assert _ended(bench, arn)["PipelineExecutionStatus"] == "Failed"
    first = _steps(bench, arn)["first"]
    bench.s3.put_object(Bucket=bench.bucket, Key="late/a.txt", Body=b"arrived")
    bench.sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn)
    assert _ended(bench, arn)["PipelineExecutionStatus"] == "Succeeded"
    assert _steps(bench, arn)["first"] == first
    with pytest.raises(ClientError, match="Only failed or stopped"):
        bench.sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn)


def test_a_stop_ends_the_running_jobs(bench: Any) -> None:
    """Stopping until the job's process has gone, then Stopped; nothing new starts."""
    slow = _step(bench, "slow", "import time; time.sleep(60)")
    _create(bench, "halt", [slow, _step(bench, "next", SCORE % 1, DependsOn=["slow"])])
    arn = _start(bench, "halt")
    bench.until(lambda: "ProcessingJob" in _steps(bench, arn).get("slow", {}).get("Metadata", {}), bool)
    bench.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    assert _ended(bench, arn)["PipelineExecutionStatus"] == "Stopped"
    ran = _steps(bench, arn)
    assert {name: step["StepStatus"] for name, step in ran.items()} == {"slow": "Stopped"}
    job = ran["slow"]["Metadata"]["ProcessingJob"]["Arn"].rsplit("/", 1)[1]
    assert bench.sagemaker.describe_processing_job(ProcessingJobName=job)["ProcessingJobStatus"] == "Stopped"


def test_a_cached_step_does_not_run_again(bench: Any) -> None:
    """Only where it asks for it and its inputs are the same; the list says where the result came from."""
    step = _step(bench, "kept", SCORE % 1, CacheConfig={"Enabled": True, "ExpireAfter": "PT1H"})
    step["Arguments"]["Environment"] = {"WORD": {"Get": "Parameters.Word"}}
    _create(bench, "cached", [step], [{"Name": "Word", "Type": "String", "DefaultValue": "a"}])
    first = _start(bench, "cached")
    assert _ended(bench, first)["PipelineExecutionStatus"] == "Succeeded"
    second, other = _start(bench, "cached"), _start(bench, "cached", Word="b")
    assert (
        _ended(bench, second)["PipelineExecutionStatus"]
        == _ended(bench, other)["PipelineExecutionStatus"]
        == "Succeeded"
    )
    assert _steps(bench, second)["kept"]["CacheHitResult"] == {"SourcePipelineExecutionArn": first}
    assert "CacheHitResult" not in _steps(bench, other)["kept"]


def test_parallelism_is_limited_and_used(bench: Any) -> None:
    """Two at once when two are allowed, never three."""
    code = "import time; time.sleep(0.4); open('/opt/ml/processing/out/x', 'w').write('x')"
    _create(bench, "wide", [_step(bench, f"wide-{n}", code) for n in range(4)])
    arn = bench.sagemaker.start_pipeline_execution(
        PipelineName="wide", ParallelismConfiguration={"MaxParallelExecutionSteps": 2}
    )["PipelineExecutionArn"]
    assert _ended(bench, arn)["PipelineExecutionStatus"] == "Succeeded"
    spans = [(step["StartTime"], step["EndTime"]) for step in _steps(bench, arn).values()]
    assert max(sum(start <= moment < end for start, end in spans) for moment, _ in spans) == 2


def test_only_failures_of_the_service_are_retried(bench: Any) -> None:
    """A policy for internal errors does not run a broken program twice."""
    policies = [{"ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR"], "IntervalSeconds": 1, "MaxAttempts": 3}]
    _create(bench, "once", [_step(bench, "wrong", "raise SystemExit(1)", RetryPolicies=policies)])
    arn = _start(bench, "once")
    _ended(bench, arn)
    assert _steps(bench, arn)["wrong"]["AttemptCount"] == 1


def test_training_models_and_versions_are_made_by_steps(bench: Any) -> None:
    """The registered version names the archive that the training step really wrote."""
    arguments = bench.training_request("fit-step", "open('/opt/ml/model/m', 'w').write('m')")
    del arguments["TrainingJobName"]
    fitted = {"Get": "Steps.fit.ModelArtifacts.S3ModelArtifacts"}
    served = {"Image": bench.uri, "ModelDataUrl": fitted}
    inference = {
        "Containers": [served],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    register = {
        "ModelPackageGroupName": "from-steps",
        "ModelApprovalStatus": "PendingManualApproval",
        "InferenceSpecification": inference,
    }
    model = {"ExecutionRoleArn": bench.role, "PrimaryContainer": served}
    steps = [
        {"Name": "fit", "Type": "Training", "Arguments": arguments},
        {"Name": "register", "Type": "RegisterModel", "Arguments": register},
        {"Name": "model", "Type": "Model", "Arguments": model},
    ]
    _create(bench, "makes", steps)
    arn = _start(bench, "makes")
    assert _ended(bench, arn)["PipelineExecutionStatus"] == "Succeeded", _steps(bench, arn)
    version = _steps(bench, arn)["register"]["Metadata"]["RegisterModel"]["Arn"]
    said = bench.sagemaker.describe_model_package(ModelPackageName=version)
    uri = said["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
    assert bench.read(uri.removeprefix(f"s3://{bench.bucket}/"))


def _function(bench: Any, name: str, code: str) -> str:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("code.py", code)
    role = bench.client("iam").create_role(
        RoleName=f"lambda-{name}",
        AssumeRolePolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
                ],
            }
        ),
    )["Role"]["Arn"]
    created = bench.client("lambda").create_function(
        FunctionName=name, Runtime="python3.11", Role=role, Handler="code.handle", Code={"ZipFile": body.getvalue()}
    )
    return str(created["FunctionArn"])


def test_a_lambda_step_runs_the_function(bench: Any) -> None:
    """Its outputs are what the function returned; an exception in it fails the step with its words."""
    arn = _function(bench, "double", "def handle(event, context):\n    return {'twice': 2 * event['n']}\n")
    step = {
        "Name": "double", "Type": "Lambda", "FunctionArn": arn, "Arguments": {"n": {"Get": "Parameters.N"}},
        "OutputParameters": [{"OutputName": "twice", "OutputType": "Integer"}],
    }  # fmt: skip
    four = {"Type": "Equals", "LeftValue": {"Get": "Steps.double.OutputParameters['twice']"}, "RightValue": 4}
    wrong = {"Name": "wrong", "Type": "Fail", "Arguments": {"ErrorMessage": "not four"}}
    check = {
        "Name": "check",
        "Type": "Condition",
        "Arguments": {"Conditions": [four], "IfSteps": [], "ElseSteps": [wrong]},
    }
    _create(bench, "lambda", [step, check], [{"Name": "N", "Type": "Integer", "DefaultValue": 2}])
    assert _ended(bench, _start(bench, "lambda"))["PipelineExecutionStatus"] == "Succeeded"
    assert _ended(bench, _start(bench, "lambda", N="3"))["PipelineExecutionStatus"] == "Failed"

    broken = step | {
        "FunctionArn": _function(bench, "raises", "def handle(event, context):\n    raise KeyError('key')\n")
    }
    _create(bench, "lambda-broken", [broken], [{"Name": "N", "Type": "Integer", "DefaultValue": 2}])
    arn = _start(bench, "lambda-broken")
    _ended(bench, arn)
    assert _steps(bench, arn)["double"]["FailureReason"].endswith("raised KeyError: 'key'")


def test_a_callback_step_waits_for_its_answer(bench: Any) -> None:
    """Somebody outside decides, with the token from the queue; a token is good once."""
    sqs = bench.client("sqs")
    queue = sqs.create_queue(QueueName="callbacks")["QueueUrl"]
    step = {
        "Name": "ask", "Type": "Callback", "SqsQueueUrl": queue, "Arguments": {"question": "really?"},
        "OutputParameters": [{"OutputName": "answer", "OutputType": "String"}],
    }  # fmt: skip
    _create(bench, "asks", [step])
    arn = _start(bench, "asks")
    message = bench.until(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"), bool)[0]
    asked = json.loads(message["Body"])
    assert (asked["stepName"], asked["arguments"]) == ("ask", {"question": "really?"})
    answer = {"CallbackToken": asked["token"], "OutputParameters": [{"Name": "answer", "Value": "yes"}]}
    bench.sagemaker.send_pipeline_execution_step_success(**answer)
    assert _ended(bench, arn)["PipelineExecutionStatus"] == "Succeeded"
    with pytest.raises(ClientError, match="No step waits"):
        bench.sagemaker.send_pipeline_execution_step_success(**answer)


def test_a_callback_step_that_is_stopped_before_it_waits_does_not_wait() -> None:
    sent: list[str] = []
    queue = SimpleNamespace(send_message=lambda QueueUrl, MessageBody: sent.append(QueueUrl))
    running = Running(
        world=cast("World", SimpleNamespace(client=lambda *_: queue)),
        region="us-east-1",
        execution_arn="arn",
        scope=cast("Scope", SimpleNamespace(resolve=lambda value: value)),
        role="",
    )
    step = cast("Step", SimpleNamespace(name="ask", document={"SqsQueueUrl": "url"}, arguments={}))
    running.stop()
    outcome = race(1, lambda _: run_callback(step, running, Callbacks()))
    assert ([type(each) for each in outcome], sent) == ([StepStopped], ["url"])


FAIL = {"Name": "f", "Type": "Fail", "Arguments": {"ErrorMessage": "x"}}


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        ("{not json", "it is not JSON"),
        (json.dumps({"Version": "2019", "Steps": []}), "2 problem.*Version: '2019' is not.*needs at least one step"),
        (json.dumps({"Version": "2020-12-01", "Steps": [FAIL, FAIL]}), "step 'f': two steps have this name"),
        (json.dumps({"Version": "2020-12-01", "Steps": [FAIL | {"Type": "Magic"}]}), "there is no step type 'Magic'"),
        (json.dumps({"Version": "2020-12-01", "Steps": [FAIL | {"DependsOn": 1}]}), "DependsOn: expected a list"),
        (json.dumps({"Version": "2020-12-01", "Steps": [FAIL | {"DependsOn": ["g"]}]}), "there is no step 'g'"),
        (
            json.dumps(
                {"Version": "2020-12-01", "Steps": [FAIL | {"Arguments": {"ErrorMessage": {"Get": "Parameters.P"}}}]}
            ),
            "there is no parameter 'P'",
        ),
        (
            json.dumps(
                {
                    "Version": "2020-12-01",
                    "Steps": [FAIL | {"DependsOn": ["g"]}, FAIL | {"Name": "g", "DependsOn": ["f"]}],
                }
            ),
            "wait for each other: f → g → f",
        ),
        (
            json.dumps({"Version": "2020-12-01", "Steps": [{"Name": "c", "Type": "Cleanup", "Arguments": {}}]}),
            "UnsupportedOperation.*Cleanup",
        ),
        (
            json.dumps(
                {
                    "Version": "2020-12-01",
                    "Steps": [{"Name": "p", "Type": "Processing", "Arguments": {"RoleArn": 7, "AppSpecificaton": {}}}],
                }
            ),
            "AppSpecificaton.*ProcessingResources|problem.*RoleArn",
        ),
        (
            json.dumps(
                {
                    "Version": "2020-12-01",
                    "Steps": [FAIL, FAIL | {"Name": "g", "DependsOn": [{"Step": "f", "Trigger": "Failed"}]}],
                }
            ),
            "DependsOn with a Trigger",
        ),
    ],
)
def test_a_malformed_definition_is_refused_at_creation(bench: Any, definition: str, words: str) -> None:
    """moto accepts '{not json' and finds out never."""
    with pytest.raises(ClientError, match=words):
        bench.sagemaker.create_pipeline(
            PipelineName="malformed", PipelineDefinition=definition, RoleArn=bench.role, ClientRequestToken="t" * 32
        )


def test_parameters_are_checked_all_at_once(bench: Any) -> None:
    """Unknown, missing and mistyped parameters stop the start, not the third step an hour later."""
    parameters = [{"Name": "Rows", "Type": "Integer"}, {"Name": "Least", "Type": "Float", "DefaultValue": 0.5}]
    _create(bench, "typed", [FAIL], parameters)
    with pytest.raises(ClientError, match=r"'Typo'.*'Least' is of type Float.*'Rows' has no default"):
        _start(bench, "typed", Typo="1", Least="many")


def test_a_double_start_with_one_token_is_one_execution(bench: Any) -> None:
    """A client that repeats a request after a lost answer must not train twice."""
    _create(bench, "tokens", [FAIL])
    ask = {"PipelineName": "tokens", "ClientRequestToken": "0" * 40}
    first = bench.sagemaker.start_pipeline_execution(**ask)["PipelineExecutionArn"]
    assert bench.sagemaker.start_pipeline_execution(**ask)["PipelineExecutionArn"] == first
    assert len(bench.sagemaker.list_pipeline_executions(PipelineName="tokens")["PipelineExecutionSummaries"]) == 1


def test_a_definition_in_s3_is_checked_and_run(bench: Any) -> None:
    """Large definitions lie there; moto checks neither."""
    place = {"Bucket": bench.bucket, "ObjectKey": "definitions/stored.json"}
    definition = {"Version": "2020-12-01", "Steps": [FAIL]}
    ask = {"PipelineName": "stored", "RoleArn": bench.role, "ClientRequestToken": "s" * 32}
    for body, words in (
        (json.dumps(definition | {"Version": "1"}), "is not '2020-12-01'"), ("{", "it is not JSON"),
    ):  # fmt: skip
        bench.s3.put_object(Bucket=bench.bucket, Key=place["ObjectKey"], Body=body.encode())
        with pytest.raises(ClientError, match=words):
            bench.sagemaker.create_pipeline(PipelineDefinitionS3Location=place, **ask)
    with pytest.raises(ClientError, match="Unable to read the pipeline definition"):
        bench.sagemaker.create_pipeline(PipelineDefinitionS3Location=place | {"ObjectKey": "nothing"}, **ask)
    bench.s3.put_object(Bucket=bench.bucket, Key=place["ObjectKey"], Body=json.dumps(definition).encode())
    bench.sagemaker.create_pipeline(PipelineDefinitionS3Location=place, **ask)
    arn = _start(bench, "stored")
    assert _ended(bench, arn)["PipelineExecutionStatus"] == "Failed"
    assert _steps(bench, arn)["f"]["FailureReason"] == "x"


def test_what_depends_on_a_condition_waits_for_its_branch(bench: Any) -> None:
    """For every step of the branch that was taken, nested ones included, and for none of the other."""
    always = {"Type": "Equals", "LeftValue": 1, "RightValue": 1}
    slow = "import time; time.sleep(0.3); open('/opt/ml/processing/out/x', 'w').write('x')"
    inner = {
        "Name": "inner", "Type": "Condition",
        "Arguments": {"Conditions": [always], "IfSteps": [_step(bench, "deep", slow)], "ElseSteps": [FAIL]},
    }  # fmt: skip
    outer = {
        "Name": "outer", "Type": "Condition",
        "Arguments": {"Conditions": [always], "IfSteps": [_step(bench, "first", slow), inner], "ElseSteps": []},
    }  # fmt: skip
    _create(bench, "waits", [outer, _step(bench, "after", SCORE % 1, DependsOn=["outer"])])
    arn = _start(bench, "waits")
    assert _ended(bench, arn)["PipelineExecutionStatus"] == "Succeeded", [
        each.get("FailureReason") for each in _steps(bench, arn).values()
    ]
    ran = _steps(bench, arn)
    assert set(ran) == {"outer", "inner", "first", "deep", "after"}
    assert ran["after"]["StartTime"] >= max(ran["first"]["EndTime"], ran["deep"]["EndTime"])
