"""A SageMaker pipeline definition that nothing is wrong with, for tests that put something wrong into it."""

from __future__ import annotations

from typing import Any

Json = Any
ROLE = "arn:aws:iam::123456789012:role/training"
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/flights@sha256:" + "0" * 64


def get(text: str) -> Json:
    return {"Get": text}


def join(on: str, *values: Json) -> Json:
    return {"Std:Join": {"On": on, "Values": list(values)}}


def json_get(step: str, file: str, path: str) -> Json:
    return {"Std:JsonGet": {"PropertyFile": get(f"Steps.{step}.PropertyFiles.{file}"), "Path": path}}


def read(name: str, uri: Json) -> Json:
    return {
        "InputName": name,
        "S3Input": {
            "S3Uri": uri,
            "LocalPath": f"/opt/ml/processing/input/{name}",
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
        },
    }


def written(name: str) -> Json:
    uri = join("/", "s3://bucket", get("Execution.PipelineExecutionId"), name)
    place = {"S3Uri": uri, "LocalPath": f"/opt/ml/processing/output/{name}", "S3UploadMode": "EndOfJob"}
    return {"OutputName": name, "S3Output": place}


def processing(name: str, inputs: list[Json], outputs: list[Json], **more: Json) -> Json:
    cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}
    return {
        "Name": name,
        "Type": "Processing",
        "Arguments": {
            "ProcessingResources": {"ClusterConfig": cluster},
            "AppSpecification": {"ImageUri": IMAGE, "ContainerArguments": ["--rows", join("", get("Parameters.Rows"))]},
            "RoleArn": get("Parameters.Role"),
            "ProcessingInputs": inputs,
            "ProcessingOutputConfig": {"Outputs": outputs},
            "Environment": {"MODE": "full"},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        },
        **more,
    }


def sound() -> Json:
    """Preprocess → Train → Evaluate → a choice between registering and failing, and a function that is told."""
    output_uri = "Steps.Preprocess.ProcessingOutputConfig.Outputs['{}'].S3Output.S3Uri"
    retry = {"ExceptionType": ["SageMaker.CAPACITY_ERROR"], "BackoffRate": 2, "IntervalSeconds": 60, "MaxAttempts": 3}
    train = {
        "Name": "Train",
        "Type": "Training",
        "Arguments": {
            "AlgorithmSpecification": {"TrainingInputMode": "File", "TrainingImage": IMAGE},
            "HyperParameters": {"epochs": "5"},
            "InputDataConfig": [
                {
                    "ChannelName": "train",
                    "DataSource": {
                        "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": get(output_uri.format("train"))},
                    },
                }
            ],
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
            "RoleArn": get("Parameters.Role"),
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/models"},
        },
        "RetryPolicies": [retry],
    }
    model_data = get("Steps.Train.ModelArtifacts.S3ModelArtifacts")
    evaluate = processing(
        "Evaluate",
        [read("model", model_data), read("test", get(output_uri.format("test")))],
        [written("scores")],
        PropertyFiles=[{"PropertyFileName": "Scores", "OutputName": "scores", "FilePath": "scores.json"}],
    )
    register = {
        "Name": "Register",
        "Type": "RegisterModel",
        "Arguments": {
            "ModelPackageGroupName": "flights",
            "InferenceSpecification": {
                "Containers": [{"Image": IMAGE, "ModelDataUrl": model_data}],
                "SupportedContentTypes": ["application/json"],
                "SupportedResponseMIMETypes": ["application/json"],
            },
        },
    }
    tell = {
        "Name": "Tell",
        "Type": "Lambda",
        "Arguments": {"package": get("Steps.Register.ModelPackageArn")},
        "FunctionArn": "arn:aws:lambda:eu-west-1:123456789012:function:tell",
        "OutputParameters": [{"OutputName": "status", "OutputType": "String"}],
    }
    reject = {
        "Name": "Reject",
        "Type": "Fail",
        "Arguments": {"ErrorMessage": join(" ", "accuracy below", get("Parameters.Least"))},
    }
    accuracy = json_get("Evaluate", "Scores", "accuracy.value")
    decide = {
        "Name": "Decide",
        "Type": "Condition",
        "Arguments": {
            "Conditions": [
                {"Type": "GreaterThanOrEqualTo", "LeftValue": accuracy, "RightValue": get("Parameters.Least")},
                {
                    "Type": "Not",
                    "Condition": {"Type": "Equals", "LeftValue": get("Parameters.Mode"), "RightValue": "dry"},
                },
            ],
            "IfSteps": [register, tell],
            "ElseSteps": [reject],
        },
    }
    prepare = processing(
        "Preprocess",
        [read("raw", get("Parameters.Data"))],
        [written("train"), written("test")],
        CacheConfig={"Enabled": True, "ExpireAfter": "P7D"},
        DisplayName="preprocess",
    )
    return {
        "Version": "2020-12-01",
        "Metadata": {},
        "Parameters": [
            {"Name": "Role", "Type": "String", "DefaultValue": ROLE},
            {"Name": "Data", "Type": "String", "DefaultValue": "s3://bucket/raw"},
            {"Name": "Rows", "Type": "Integer", "DefaultValue": 400},
            {"Name": "Least", "Type": "Float", "DefaultValue": 0.8},
            {"Name": "Mode", "Type": "String", "DefaultValue": "full", "EnumValues": ["full", "dry"]},
        ],
        "Steps": [prepare, train, evaluate, decide],
    }
