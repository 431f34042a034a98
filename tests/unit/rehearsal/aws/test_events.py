"""An approval is an event, and an event starts a pipeline: nobody has to poll, and nothing is only claimed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

APPROVED = {
    "source": ["aws.sagemaker"],
    "detail-type": ["SageMaker Model Package State Change"],
    "detail": {"ModelPackageGroupName": ["approvals"], "ModelApprovalStatus": ["Approved"]},
}


def _version(bench: Any, group: str) -> str:
    served = {"Image": bench.uri, "ModelDataUrl": f"s3://{bench.bucket}/in/a.txt"}
    inference = {
        "Containers": [served],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    return str(
        bench.sagemaker.create_model_package(
            ModelPackageGroupName=group, ModelApprovalStatus="PendingManualApproval", InferenceSpecification=inference
        )["ModelPackageArn"]
    )


def _pipeline(bench: Any, name: str) -> str:
    says = {"Std:Join": {"On": " ", "Values": ["asked for", {"Get": "Parameters.Version"}]}}
    definition = {
        "Version": "2020-12-01",
        "Parameters": [{"Name": "Version", "Type": "String"}],
        "Steps": [{"Name": "say", "Type": "Fail", "Arguments": {"ErrorMessage": says}}],
    }
    created = bench.sagemaker.create_pipeline(
        PipelineName=name,
        PipelineDefinition=json.dumps(definition),
        RoleArn=bench.role,
        ClientRequestToken=f"{name:0>32}",
    )
    return str(created["PipelineArn"])


def _rule(bench: Any, name: str, pattern: dict[str, Any], *targets: dict[str, Any]) -> None:
    events = bench.client("events")
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": str(number), **target} for number, target in enumerate(targets)])


def test_an_approval_starts_the_pipeline_of_a_rule(bench: Any) -> None:
    """Registering sends an event too, but only the approval matches; its ARN reaches the pipeline as a parameter."""
    arn = _pipeline(bench, "release")
    given = {"PipelineParameterList": [{"Name": "Version", "Value": "$.detail.ModelPackageArn"}]}
    sqs = bench.client("sqs")
    queue = sqs.create_queue(QueueName="approvals")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    target = {"Arn": arn, "RoleArn": bench.role, "SageMakerPipelineParameters": given}
    _rule(bench, "approved", APPROVED, target, {"Arn": queue_arn})
    bench.sagemaker.create_model_package_group(ModelPackageGroupName="approvals")
    version = _version(bench, "approvals")
    bench.sagemaker.update_model_package(ModelPackageArn=version, ModelApprovalStatus="Approved")

    message = bench.until(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"), bool)[0]
    assert json.loads(message["Body"])["detail"]["ModelPackageArn"] == version
    assert not sqs.receive_message(QueueUrl=queue).get("Messages")
    runs = bench.until(
        lambda: bench.sagemaker.list_pipeline_executions(PipelineName="release")["PipelineExecutionSummaries"],
        lambda found: found and found[0]["PipelineExecutionStatus"] == "Failed",
    )
    assert len(runs) == 1
    steps = bench.sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=runs[0]["PipelineExecutionArn"])
    assert steps["PipelineExecutionSteps"][0]["FailureReason"] == f"asked for {version}"


def test_every_update_of_a_version_is_told_with_what_it_changed(bench: Any) -> None:
    """One that only notes something on an approved version says Approved, too: a rule has to look at what changed."""
    sqs = bench.client("sqs")
    queue = sqs.create_queue(QueueName="updates")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["aws.sagemaker"], "detail": {"ModelPackageGroupName": ["updates"]}}
    _rule(bench, "updates", pattern, {"Arn": queue_arn})
    bench.sagemaker.create_model_package_group(ModelPackageGroupName="updates")
    version = _version(bench, "updates")
    bench.sagemaker.update_model_package(ModelPackageArn=version, ModelApprovalStatus="Approved")
    bench.sagemaker.update_model_package(ModelPackageArn=version, CustomerMetadataProperties={"seen": "yes"})
    told: list[Any] = []

    def heard() -> int:
        for each in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            told.append(json.loads(each["Body"])["detail"])
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=each["ReceiptHandle"])
        return len(told)

    bench.until(heard, lambda count: count == 3)
    assert [(each["ModelApprovalStatus"], each.get("UpdatedModelPackageFields")) for each in told] == [
        ("PendingManualApproval", None),
        ("Approved", ["ModelApprovalStatus"]),
        ("Approved", ["CustomerMetadataProperties"]),
    ]


def test_an_event_of_somebody_else_starts_a_pipeline(bench: Any) -> None:
    """put_events towards a pipeline target makes moto answer 500."""
    arn = _pipeline(bench, "alarmed")
    given = {"PipelineParameterList": [{"Name": "Version", "Value": "fixed"}]}
    _rule(
        bench, "mine", {"source": ["mine"]}, {"Arn": arn, "RoleArn": bench.role, "SageMakerPipelineParameters": given}
    )
    entry = {"Source": "mine", "DetailType": "drift", "Detail": "{}"}
    assert bench.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0
    assert len(bench.sagemaker.list_pipeline_executions(PipelineName="alarmed")["PipelineExecutionSummaries"]) == 1


def _role(bench: Any, name: str, service: str, pipeline: str) -> str:
    """A role of a service that may start a pipeline."""
    iam = bench.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))
    may = {"Effect": "Allow", "Action": "sagemaker:StartPipelineExecution", "Resource": pipeline}
    iam.put_role_policy(
        RoleName=name, PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [may]})
    )
    return str(made["Role"]["Arn"])


def test_a_rule_starts_a_pipeline_as_its_role_or_not_at_all(bench: Any) -> None:
    arn = _pipeline(bench, "as-a-role")
    roles = {
        "let-in": ("events.amazonaws.com", arn),
        "for-another-service": ("sagemaker.amazonaws.com", arn),
        "for-another-pipeline": ("events.amazonaws.com", f"{arn}-2"),
    }
    given = {"PipelineParameterList": [{"Name": "Version", "Value": "fixed"}]}
    for name, (service, pipeline) in roles.items():
        target = {"Arn": arn, "RoleArn": _role(bench, name, service, pipeline), "SageMakerPipelineParameters": given}
        _rule(bench, name, {"source": [name]}, target)
        entry = {"Source": name, "DetailType": "drift", "Detail": "{}"}
        assert bench.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0
    assert len(bench.sagemaker.list_pipeline_executions(PipelineName="as-a-role")["PipelineExecutionSummaries"]) == 1
    told = bench.aws.permissions()
    assert [each["role"] for each in told["used"] if each["resource"] == arn] == ["let-in"]
    assert [each["role"] for each in told["denied"] if each["resource"] == arn] == ["for-another-pipeline"]


def test_the_end_of_a_job_is_an_event(bench: Any) -> None:
    """People page on failed jobs: a rule for them must see the real end."""
    sqs = bench.client("sqs")
    queue = sqs.create_queue(QueueName="failures")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Processing Job State Change"],
        "detail": {"ProcessingJobStatus": ["Failed"], "ProcessingJobName": ["paged"]},
    }
    _rule(bench, "failed", pattern, {"Arn": queue_arn})
    bench.process("paged", "raise SystemExit(9)")
    message = bench.until(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"), bool)[0]
    assert json.loads(message["Body"])["detail"]["FailureReason"].endswith("exit code: 9")


def test_an_approval_status_that_does_not_exist_is_refused(bench: Any) -> None:
    """'approved' in lower case would never deploy."""
    bench.sagemaker.create_model_package_group(ModelPackageGroupName="spelling")
    version = _version(bench, "spelling")
    with pytest.raises(ClientError, match="enum value set"):
        bench.sagemaker.update_model_package(ModelPackageArn=version, ModelApprovalStatus="approved")


def test_a_failed_execution_and_a_trained_model_reach_a_topic(bench: Any) -> None:
    """The rule that tells people of failures: it hears of this pipeline's, and of no success."""
    sns, sqs = bench.client("sns"), bench.client("sqs")
    heard: list[tuple[str, str]] = []
    queue = sqs.create_queue(QueueName="ended")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = bench.topic("ended")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn, Attributes={"RawMessageDelivery": "true"})
    failing = _pipeline(bench, "told-failing")
    _rule(
        bench,
        "executions",
        {
            "source": ["aws.sagemaker"],
            "detail-type": ["SageMaker Model Building Pipeline Execution Status Change"],
            "detail": {"currentPipelineExecutionStatus": ["Failed"], "pipelineArn": [{"prefix": f"{failing[:-4]}"}]},
        },
        {"Arn": topic},
    )
    _rule(
        bench,
        "trainings",
        {
            "source": ["aws.sagemaker"],
            "detail-type": ["SageMaker Training Job State Change"],
            "detail": {"TrainingJobStatus": ["Completed"], "TrainingJobName": [{"prefix": "told-"}]},
        },
        {"Arn": topic},
    )
    bench.train("other-model", "open('/opt/ml/model/m.txt', 'w').write('m')")
    bench.train("told-model", "open('/opt/ml/model/m.txt', 'w').write('m')")
    another = {"Version": "2020-12-01", "Steps": [{"Name": "no", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}]}
    bench.sagemaker.create_pipeline(
        PipelineName="another-failing",
        PipelineDefinition=json.dumps(another),
        RoleArn=bench.role,
        ClientRequestToken="a" * 32,
    )
    bench.sagemaker.start_pipeline_execution(PipelineName="another-failing", ClientRequestToken="b" * 32)
    bench.sagemaker.start_pipeline_execution(
        PipelineName="told-failing",
        PipelineParameters=[{"Name": "Version", "Value": "1"}],
        ClientRequestToken="c" * 32,
    )

    def listen() -> int:
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            event = json.loads(message["Body"])
            about = event["detail"].get("TrainingJobName") or event["detail"]["pipelineArn"]
            heard.append((event["detail-type"].split()[1], about))
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return len(heard)

    bench.until(listen, lambda count: count >= 2)
    assert sorted(heard) == [("Model", failing), ("Training", "told-model")]
