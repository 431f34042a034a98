"""What AWS refuses is refused, and what the rehearsal cannot do is an error that says so."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError


def _code(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


def test_an_operation_that_is_not_rehearsed_says_so(bench: Any) -> None:
    """An answer that nothing stands behind would be worse than none."""
    with pytest.raises(
        ClientError, match="does not support the SageMaker operation CreateInferenceComponent"
    ) as caught:
        bench.sagemaker.create_inference_component(
            InferenceComponentName="c", EndpointName="e", Specification={"ModelName": "m"}
        )
    assert _code(caught) == "UnsupportedOperation"


def test_what_moto_makes_up_is_refused(bench: Any) -> None:
    """moto says that a tuning job runs; here it is refused."""
    with pytest.raises(ClientError, match="UnsupportedOperation"):
        bench.sagemaker.create_cluster(ClusterName="c")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ProcessingJobName": "has_underscore"}, "processingJobName.*regular expression"),
        ({"ProcessingJobName": "n" * 64}, "length less than or equal to 63|regular expression"),
        (
            {
                "ProcessingResources": {
                    "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.lrge", "VolumeSizeInGB": 1}
                }
            },
            "'ml.m5.lrge' at 'processingResources.clusterConfig.instanceType'.*enum value set",
        ),
        ({"Environment": {"A": "x" * 257}}, "length less than or equal to 256"),
        ({"RoleArn": "arn:aws:iam::123456789012:role/nobody"}, "Could not assume role"),
    ],
)
def test_a_request_outside_the_limits_is_refused(bench: Any, change: dict[str, Any], words: str) -> None:
    """moto takes all of these; AWS takes none."""
    with pytest.raises(ClientError, match=words) as caught:
        bench.sagemaker.create_processing_job(**bench.processing_request("refused", "pass", **change))
    assert _code(caught) == "ValidationException"


def test_all_problems_come_at_once(bench: Any) -> None:
    """Nobody likes to correct one field per call."""
    with pytest.raises(ClientError, match="2 validation errors detected"):
        bench.sagemaker.create_processing_job(
            **bench.processing_request("bad_name", "pass", Environment={"A": "x" * 300})
        )


def test_a_role_that_does_not_trust_sagemaker_is_refused(bench: Any) -> None:
    """The commonest first mistake in an account."""
    allows = '{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}'
    trust = f'{{"Version": "2012-10-17", "Statement": [{allows}]}}'
    arn = bench.client("iam").create_role(RoleName="other", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    with pytest.raises(ClientError, match=r"allows principal 'sagemaker\.amazonaws\.com'"):
        bench.sagemaker.create_processing_job(**bench.processing_request("untrusted", "pass", RoleArn=arn))


def test_a_name_is_used_once(bench: Any) -> None:
    """moto overwrites the first job."""
    bench.process("twice", "raise SystemExit(1)")
    with pytest.raises(ClientError, match="must be unique") as caught:
        bench.process("twice", "raise SystemExit(1)")
    assert _code(caught) == "ResourceInUse"


def test_an_image_without_a_program_is_refused(bench: Any) -> None:
    """Another program in its place would prove nothing."""
    app = {"ImageUri": "123456789012.dkr.ecr.us-east-1.amazonaws.com/other:1", "ContainerEntrypoint": ["python"]}
    with pytest.raises(ClientError, match="no program for image"):
        bench.sagemaker.create_processing_job(**bench.processing_request("imageless", "", AppSpecification=app))


def test_a_path_outside_the_contract_is_refused(bench: Any) -> None:
    """Outputs elsewhere are never uploaded."""
    request = bench.processing_request("elsewhere", "pass")
    request["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["LocalPath"] = "/tmp/out"
    with pytest.raises(ClientError, match="must begin with /opt/ml/processing"):
        bench.sagemaker.create_processing_job(**request)


@pytest.mark.parametrize("instance", ["ml.g4dn.xlarge", "ml.g5.xlarge"])
def test_a_key_for_disks_that_encrypt_themselves_is_refused(bench: Any, instance: str) -> None:
    """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ResourceConfig.html"""
    request = bench.processing_request("sealed-twice", "pass")
    request["ProcessingResources"]["ClusterConfig"] |= {"InstanceType": instance, "VolumeKmsKeyId": "k"}
    with pytest.raises(ClientError, match="You can't request a VolumeKmsKeyId when using an instance type with local"):
        bench.sagemaker.create_processing_job(**request)


def test_an_unknown_job_is_not_found(bench: Any) -> None:
    """In AWS's words, since clients match on them."""
    with pytest.raises(ClientError, match="Could not find requested job with name: nobody"):
        bench.sagemaker.describe_processing_job(ProcessingJobName="nobody")
