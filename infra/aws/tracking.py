"""Experiments beside the registry: SageMaker's managed MLflow."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from infra.aws.documents import document, trusted_service
from infra.aws.scope import Scope
from infra.aws.settings import Tracking


class TrackingServer(pulumi.ComponentResource):
    """An MLflow server for people's experiments; only where the stack has the setting ``tracking``.

    Owns: the server, its role, and the folder of artifacts that it may use.

    Does not own: the record of runs that Seatrial itself keeps below the artifact root, and who may open the server.
    The server is billed by the hour from the moment it is there. Offline it is refused by name: nothing here runs it.
    """

    def __init__(self, scope: Scope, settings: Tracking, bucket: aws.s3.Bucket, key: aws.kms.Key) -> None:
        """``bucket``, ``key``: where its artifacts lie, and what encrypts them."""
        super().__init__("seatrial:aws:TrackingServer", "tracking")
        below = pulumi.ResourceOptions(parent=self)
        name = scope.name("mlflow")
        role = aws.iam.Role(
            "mlflow-role",
            name=name,
            description=f"The MLflow server of stack {scope.stack}",
            assume_role_policy=document(trusted_service(scope, "sagemaker", scope.arn("sagemaker", "*"))),
            permissions_boundary=scope.settings.boundary,
            opts=below,
        )
        allowed = aws.iam.RolePolicy(
            "mlflow-permissions",
            name="own",
            role=role.name,
            policy=document(
                {
                    "Sid": "List",
                    "Effect": "Allow",
                    "Action": ["s3:ListBucket"],
                    "Resource": bucket.arn,
                    "Condition": {"StringLike": {"s3:prefix": ["mlflow", "mlflow/*"]}},
                },
                {
                    "Sid": "Artifacts",
                    "Effect": "Allow",
                    "Action": ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
                    "Resource": pulumi.Output.concat(bucket.arn, "/mlflow/*"),
                },
                {
                    "Sid": "Encrypt",
                    "Effect": "Allow",
                    "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
                    "Resource": key.arn,
                },
            ),
            opts=below,
        )
        self.server = aws.sagemaker.MlflowTrackingServer(
            "mlflow",
            tracking_server_name=name,
            tracking_server_size=settings.size,
            artifact_store_uri=pulumi.Output.concat("s3://", bucket.bucket, "/mlflow"),
            automatic_model_registration=False,
            role_arn=role.arn,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[allowed], protect=scope.settings.protect),
        )
        self.register_outputs({"server": self.server.arn})
