"""An account furnished by hand, for tests of one job: a bucket, roles with what they need, a model's shell."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from seatrial.clouds.aws.names import model_shell
from seatrial.clouds.aws.permissions import Permissions, derive, place_of
from seatrial.clouds.aws.session import new_session
from seatrial.clouds.aws.stack import Roles, StackOutputs
from seatrial.project import Model, Project
from tests import shells

Json = Any
_SERVICE = "{}.amazonaws.com"


class Account:
    """Makes what a stack owns, with plain boto3 clients of the offline AWS."""

    def __init__(self, client_settings: Mapping[str, str], *, account: str, prefix: str) -> None:
        """Nothing is made yet."""
        session = new_session()
        self._clients = {
            name: session.client(name, **client_settings) for name in ("s3", "iam", "sts", "sagemaker", "cloudwatch")
        }
        self._account, self._prefix = account, prefix
        self._region = client_settings["region_name"]
        self._bucket = f"{prefix}-{account}"
        self.permissions = Permissions(())
        """What the roles are granted, once they are there."""

    def furnish(self, image: str, opened: Project, model: Model, pipelines: Iterable[str]) -> StackOutputs:
        """Make the bucket, the roles with what they need, and the model's shell; jobs and servers run on ``image``."""
        self._clients["s3"].create_bucket(Bucket=self._bucket)
        guardrails = model.rollout.guardrails
        stack = StackOutputs(
            region=self._region,
            account=self._account,
            prefix=self._prefix,
            artifact_root=f"s3://{self._bucket}/artifacts",
            image=image,
            roles=Roles(**{name: self._role(name) for name in Roles.model_fields}),
            tags={"seatrial:stack": self._prefix},
            models={model.name: model_shell(self._prefix, model.name, guardrails=guardrails, pipelines=pipelines)},
        )
        clients = {name: self._clients[name] for name in ("sagemaker", "cloudwatch")}
        shells.furnish(stack, model.name, model.rollout, **clients)
        self._role("events")
        self.permissions = derive(opened, [model.name], place_of(stack))
        for role in self.permissions.roles():
            self._clients["iam"].put_role_policy(
                RoleName=f"{self._prefix}-{role}",
                PolicyName="derived",
                PolicyDocument=json.dumps(self.permissions.policy(role)),
            )
        return stack

    def _role(self, name: str) -> str:
        """A role: of the service that acts as it; of the account's people where they launch."""
        service = {"Service": _SERVICE.format("events" if name == "events" else "sagemaker")}
        statement: dict[str, Json] = {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{self._account}:root"} if name == "launch" else service,
            "Action": "sts:AssumeRole",
        }
        if name != "launch":
            statement["Condition"] = {"StringEquals": {"aws:SourceAccount": self._account}}
        made = self._clients["iam"].create_role(
            RoleName=f"{self._prefix}-{name}",
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )
        return str(made["Role"]["Arn"])

    def launching(self, stack: StackOutputs) -> dict[str, str]:
        """Credentials of the role that launches, as variables of the environment."""
        told = self._clients["sts"].assume_role(RoleArn=stack.roles.launch, RoleSessionName="rehearsal")["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": told["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": told["SecretAccessKey"],
            "AWS_SESSION_TOKEN": told["SessionToken"],
        }
