"""Writes definitions of pipelines that the ``sagemaker`` 3.x SDK builds; runs where that SDK and moto are installed.

Usage: python tests/conformance/sagemaker_sdk_pipelines.py FOLDER
       python tests/conformance/sagemaker_sdk_pipelines.py --time NAME     (used by benchmarks/compile.py)
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

warnings.simplefilter("ignore")
os.environ.update(
    AWS_DEFAULT_REGION="us-east-1",
    AWS_ACCESS_KEY_ID="x",
    AWS_SECRET_ACCESS_KEY="x",
    AWS_EC2_METADATA_DISABLED="true",
    SAGEMAKER_VALIDATE_ROLE="false",
)

import boto3  # noqa: E402 - the SDK reads the environment when it is imported
from moto import mock_aws  # noqa: E402
from sagemaker.core.lambda_helper import Lambda  # noqa: E402
from sagemaker.core.processing import Processor  # noqa: E402
from sagemaker.core.shapes import (  # noqa: E402
    OutputDataConfig,
    ProcessingInput,
    ProcessingOutput,
    ProcessingS3Input,
    ProcessingS3Output,
)
from sagemaker.core.workflow.conditions import (  # noqa: E402
    ConditionEquals,
    ConditionGreaterThanOrEqualTo,
    ConditionIn,
    ConditionLessThan,
    ConditionNot,
    ConditionOr,
)
from sagemaker.core.workflow.execution_variables import ExecutionVariables  # noqa: E402
from sagemaker.core.workflow.functions import Join, JsonGet  # noqa: E402
from sagemaker.core.workflow.parameters import (  # noqa: E402
    ParameterBoolean,
    ParameterFloat,
    ParameterInteger,
    ParameterString,
)
from sagemaker.core.workflow.pipeline_context import PipelineSession  # noqa: E402
from sagemaker.core.workflow.properties import PropertyFile  # noqa: E402
from sagemaker.mlops.workflow.callback_step import (  # noqa: E402
    CallbackOutput,
    CallbackOutputTypeEnum,
    CallbackStep,
)
from sagemaker.mlops.workflow.cleanup_step import CleanupStep, S3CleanupSource  # noqa: E402
from sagemaker.mlops.workflow.condition_step import ConditionStep  # noqa: E402
from sagemaker.mlops.workflow.emr_serverless_step import EMRServerlessJobConfig, EMRServerlessStep  # noqa: E402
from sagemaker.mlops.workflow.emr_step import EMRStep, EMRStepConfig  # noqa: E402
from sagemaker.mlops.workflow.fail_step import FailStep  # noqa: E402
from sagemaker.mlops.workflow.for_each_step import CurrentItem, ForEachStep  # noqa: E402
from sagemaker.mlops.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep  # noqa: E402
from sagemaker.mlops.workflow.model_step import ModelStep  # noqa: E402
from sagemaker.mlops.workflow.pipeline import Pipeline  # noqa: E402
from sagemaker.mlops.workflow.retry import (  # noqa: E402
    SageMakerJobExceptionTypeEnum,
    SageMakerJobStepRetryPolicy,
    StepExceptionTypeEnum,
    StepRetryPolicy,
)
from sagemaker.mlops.workflow.step_dependency import StepDependency, TriggerCondition  # noqa: E402
from sagemaker.mlops.workflow.steps import CacheConfig, ProcessingStep, TrainingStep  # noqa: E402
from sagemaker.serve.model_builder import ModelBuilder  # noqa: E402
from sagemaker.train.configs import Compute, InputData  # noqa: E402
from sagemaker.train.model_trainer import ModelTrainer  # noqa: E402

ROLE = "arn:aws:iam::123456789012:role/training"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/demo:1"
BUCKET = "demo-bucket"


class Kit:
    """Steps, with as little said about each as the SDK allows."""

    def __init__(self, session: Any) -> None:
        self.session = session

    def source(self, name: str, uri: Any) -> Any:
        place = ProcessingS3Input(
            s3_uri=uri,
            local_path=f"/opt/ml/processing/input/{name}",
            s3_data_type="S3Prefix",
            s3_input_mode="File",
        )
        return ProcessingInput(input_name=name, s3_input=place)

    def output(self, name: str) -> Any:
        uri = Join(on="/", values=[f"s3://{BUCKET}", ExecutionVariables.PIPELINE_EXECUTION_ID, name])
        place = ProcessingS3Output(s3_uri=uri, local_path=f"/opt/ml/processing/{name}", s3_upload_mode="EndOfJob")
        return ProcessingOutput(output_name=name, s3_output=place)

    def processing(self, name: str, inputs: Any = (), outputs: Any = (), arguments: Any = None, **more: Any) -> Any:
        processor = Processor(
            role=ROLE,
            image_uri=IMAGE,
            instance_count=1,
            instance_type="ml.m5.large",
            entrypoint=["python3", "/opt/program/run.py"],
            sagemaker_session=self.session,
            max_runtime_in_seconds=3600,
        )
        ran = processor.run(inputs=list(inputs), outputs=[self.output(n) for n in outputs], arguments=arguments)
        return ProcessingStep(name, step_args=ran, **more)

    def training(self, name: str, data: Any, hyperparameters: Any = None, **more: Any) -> Any:
        trainer = ModelTrainer(
            training_image=IMAGE,
            role=ROLE,
            sagemaker_session=self.session,
            compute=Compute(instance_type="ml.m5.large", instance_count=1),
            hyperparameters=hyperparameters or {"epochs": 5},
            base_job_name="demo",
            output_data_config=OutputDataConfig(s3_output_path=f"s3://{BUCKET}/models"),
        )
        inputs = [InputData(channel_name="train", data_source=data)]
        return TrainingStep(name, step_args=trainer.train(input_data_config=inputs), **more)

    def registration(self, name: str, data: Any, approval: Any = "PendingManualApproval") -> Any:
        builder = ModelBuilder(image_uri=IMAGE, s3_model_data_url=data, role_arn=ROLE, sagemaker_session=self.session)
        args = builder.register(
            model_package_group_name="demo",
            content_types=["text/csv"],
            response_types=["application/json"],
            inference_instances=["ml.m5.large"],
            transform_instances=["ml.m5.large"],
            approval_status=approval,
        )
        return ModelStep(name, step_args=args)

    def function(self, name: str, inputs: Any, **more: Any) -> Any:
        arn = "arn:aws:lambda:us-east-1:123456789012:function:tell"
        outputs = [LambdaOutput("status", LambdaOutputTypeEnum.String)]
        return LambdaStep(
            name, lambda_func=Lambda(function_arn=arn, session=self.session), inputs=inputs, outputs=outputs, **more
        )


def gate(kit: Kit) -> Any:
    """Preprocess, train, evaluate, and register or fail."""
    rows = ParameterInteger("Rows", default_value=400)
    rate = ParameterString("LearningRate", default_value="0.05")
    least = ParameterFloat("MinAccuracy", default_value=0.8)
    data = ParameterString("InputData", default_value=f"s3://{BUCKET}/raw")
    approval = ParameterString("Approval", default_value="PendingManualApproval", enum_values=["PendingManualApproval"])
    prepare = kit.processing(
        "Preprocess",
        [kit.source("raw", data)],
        ["train", "test"],
        ["--rows", rows.to_string()],
        cache_config=CacheConfig(enable_caching=True, expire_after="P7D"),
    )
    made = prepare.properties.ProcessingOutputConfig.Outputs
    train = kit.training("Train", made["train"].S3Output.S3Uri, {"lr": rate, "epochs": 5})
    model = train.properties.ModelArtifacts.S3ModelArtifacts
    report = PropertyFile(name="Report", output_name="evaluation", path="evaluation.json")
    evaluate = kit.processing(
        "Evaluate",
        [kit.source("model", model), kit.source("test", made["test"].S3Output.S3Uri)],
        ["evaluation"],
        property_files=[report],
    )
    register = kit.registration("Register", model, approval)
    tell = kit.function("Tell", {"package": register.properties.ModelPackageArn})
    reject = FailStep("Reject", error_message=Join(on=" ", values=["accuracy below", least]))
    accuracy = JsonGet(step_name="Evaluate", property_file=report, json_path="metrics.accuracy.value")
    decide = ConditionStep(
        "Gate",
        conditions=[ConditionGreaterThanOrEqualTo(left=accuracy, right=least)],
        if_steps=[register, tell],
        else_steps=[reject],
    )
    return Pipeline(
        "gate",
        parameters=[rows, rate, least, data, approval],
        steps=[prepare, train, evaluate, decide],
        sagemaker_session=kit.session,
    )


def conditions(kit: Kit) -> Any:
    """Every form of condition, nested choices, a choice on what a choice decided."""
    mode = ParameterString("Mode", default_value="full")
    dry = ParameterBoolean(name="Dry", default_value=False)
    count = ParameterInteger("Count", default_value=3)
    inner = ConditionStep(
        "Inner",
        conditions=[ConditionLessThan(left=count, right=10)],
        if_steps=[kit.processing("Small")],
        else_steps=[FailStep("TooMany", error_message="too many")],
    )
    outer = ConditionStep(
        "Outer",
        conditions=[
            ConditionNot(ConditionEquals(left=dry, right=True)),
            ConditionOr([ConditionIn(value=mode, in_values=["full", "half"]), ConditionEquals(left=count, right=3)]),
        ],
        if_steps=[inner],
        else_steps=[],
    )
    return Pipeline("conditions", parameters=[mode, dry, count], steps=[outer], sagemaker_session=kit.session)


def order(kit: Kit) -> Any:
    """Order without data, run conditions, retries, callbacks and clean-up."""
    policies = [
        StepRetryPolicy(exception_types=[StepExceptionTypeEnum.THROTTLING], max_attempts=5),
        SageMakerJobStepRetryPolicy(
            exception_types=[SageMakerJobExceptionTypeEnum.RESOURCE_LIMIT],
            failure_reason_types=[SageMakerJobExceptionTypeEnum.CAPACITY_ERROR],
            expire_after_mins=60,
        ),
    ]
    first = kit.processing("First", outputs=["made"], retry_policies=policies)
    train = kit.training("Train", first.properties.ProcessingOutputConfig.Outputs["made"].S3Output.S3Uri)
    wait = CallbackStep(
        "Wait",
        sqs_queue_url="https://sqs.us-east-1.amazonaws.com/123456789012/q",
        inputs={"job": first.properties.ProcessingJobArn},
        outputs=[CallbackOutput("answer", CallbackOutputTypeEnum.String)],
        depends_on=[first],
    )
    after = kit.function("After", {"answer": wait.properties.Outputs["answer"]})
    failed = kit.function("OnFailure", {}, depends_on=[StepDependency(train, TriggerCondition.FAILED)])
    sweep = CleanupStep("Sweep", s3_sources=[S3CleanupSource(train)])
    return Pipeline("order", steps=[first, train, wait, after, failed, sweep], sagemaker_session=kit.session)


def loop(kit: Kit) -> Any:
    """A loop over items that a parameter holds."""
    items = ParameterString("Items", default_value='["a", "b"]')
    body = kit.function("PerItem", {"item": CurrentItem()})
    each = ForEachStep("Each", iterable_items=items, max_concurrency=4, for_each_body=[body])
    after = kit.function(
        "After", {"status": each.properties.Status, "first": each.properties.IterationOutputs[0].PerItem}
    )
    return Pipeline("loop", parameters=[items], steps=[each, after], sagemaker_session=kit.session)


def spark(kit: Kit) -> Any:
    """EMR, and EMR without servers."""
    config = EMRStepConfig(jar="s3://demo-bucket/x.jar", args=["--n", "1"], main_class="Main")
    cluster = EMRStep(name="Spark", display_name="spark", description="", cluster_id="j-1", step_config=config)
    after = kit.function("After", {"step": cluster.properties.Status.State})
    serverless = EMRServerlessStep(
        name="Serverless",
        display_name="serverless",
        description="",
        job_config=EMRServerlessJobConfig(
            job_driver={"sparkSubmit": {"entryPoint": "s3://demo-bucket/x.py"}}, execution_role_arn=ROLE
        ),
        application_id="00f1",
    )
    return Pipeline("spark", steps=[cluster, after, serverless], sagemaker_session=kit.session)


def ten(kit: Kit) -> Any:
    """A chain of ten processing steps, for the benchmark."""
    steps = [kit.processing("step-0", outputs=["made"])]
    for index in range(1, 10):
        made = steps[-1].properties.ProcessingOutputConfig.Outputs["made"].S3Output.S3Uri
        steps.append(kit.processing(f"step-{index}", [kit.source("made", made)], ["made"]))
    return Pipeline("ten", steps=steps, sagemaker_session=kit.session)


PIPELINES: dict[str, Callable[[Kit], Any]] = {
    build.__name__: build for build in (gate, conditions, order, loop, spark, ten)
}


def session() -> Any:
    """A pipeline session that talks to moto; use it inside ``mock_aws``."""
    return PipelineSession(boto_session=boto3.Session(region_name="us-east-1"), default_bucket=BUCKET)


def write(folder: Path) -> None:
    """Write one file per pipeline."""
    with mock_aws():
        kit = Kit(session())
        for name, build in PIPELINES.items():
            (folder / f"{name}.json").write_text(json.dumps(json.loads(build(kit).definition()), indent=1))


def answer(name: str) -> None:
    """For each line on standard input, build a pipeline and its definition, and print the seconds that took."""
    with mock_aws():
        kit = Kit(session())
        for _ in sys.stdin:
            start = time.perf_counter()
            PIPELINES[name](kit).definition()
            print(time.perf_counter() - start, flush=True)


def main() -> None:
    """Write the definitions, or time one."""
    logging.disable(logging.CRITICAL)
    if sys.argv[1] == "--time":
        answer(sys.argv[2])
    else:
        write(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
