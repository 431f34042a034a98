"""Gives moto's tests what the real service would ask them for first, so that they get as far as what they test.

``pytest -p strangers_moto_plugin``, in moto's own test run. The tests name roles that nobody has made, several of them
in a form that no role has; create pipelines whose definition is no definition; and use an endpoint in the instant after
its creation. So a role is made before the request that names it (or replaced where it cannot exist), a malformed
definition is replaced by a small one, and CreateEndpoint waits for the endpoint. Nothing else is touched.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from typing import Any

import boto3
import botocore.client

_ROLE = re.compile(r"arn:aws:iam::123456789012:role/([\w+=,.@-]{1,64})")
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
_ALWAYS = {"Type": "Equals", "LeftValue": 1, "RightValue": 1}
_STEP = {"Name": "Choose", "Type": "Condition", "Arguments": {"Conditions": [_ALWAYS], "IfSteps": [], "ElseSteps": []}}
_DEFINITION = json.dumps({"Version": "2020-12-01", "Parameters": [], "Steps": [_STEP]})
_call = botocore.client.BaseClient._make_api_call


def _prepared(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
    if client.meta.service_model.service_name != "sagemaker":
        return _call(client, operation, parameters)
    for key in ("RoleArn", "ExecutionRoleArn"):
        if key in parameters:
            parameters = {**parameters, key: _existing(parameters[key])}
    if "PipelineDefinition" in parameters and not _well_formed(parameters["PipelineDefinition"]):
        parameters = {**parameters, "PipelineDefinition": _DEFINITION}
    answer = _call(client, operation, parameters)
    if operation == "CreateEndpoint":
        while (
            _call(client, "DescribeEndpoint", {"EndpointName": parameters["EndpointName"]})["EndpointStatus"]
            == "Creating"
        ):
            time.sleep(0.05)
    return answer


def _existing(arn: str) -> str:
    found = _ROLE.fullmatch(arn)
    name = found.group(1) if found else "stand-in"
    iam = boto3.client("iam", region_name="us-east-1")
    with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(_TRUST))
    return arn if found else f"arn:aws:iam::123456789012:role/{name}"


def _well_formed(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


botocore.client.BaseClient._make_api_call = _prepared
