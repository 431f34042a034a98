"""Where the project's image lies."""

from __future__ import annotations

import json

import pulumi
import pulumi_aws as aws

from infra.aws.scope import Scope


class Images(pulumi.ComponentResource):
    """The repository of the project's one image.

    Owns: the repository; a tag in it never moves, every push is scanned, and what lost its tag goes after a while.

    Does not own: the image. It is built and pushed by the release workflow, and named by digest in ``image``.
    """

    repository: aws.ecr.Repository

    def __init__(self, scope: Scope, key: aws.kms.Key) -> None:
        super().__init__("seatrial:aws:Images", "images")
        self.repository = aws.ecr.Repository(
            "repository",
            name=scope.prefix,
            force_delete=not scope.settings.protect,
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration=aws.ecr.RepositoryImageScanningConfigurationArgs(scan_on_push=True),
            encryption_configurations=[
                aws.ecr.RepositoryEncryptionConfigurationArgs(encryption_type="KMS", kms_key=key.arn)
            ],
            opts=pulumi.ResourceOptions(parent=self, protect=scope.settings.protect),
        )
        days = scope.settings.retention.untagged_images_days
        rule = {
            "rulePriority": 1,
            "description": f"Without a tag for {days} days",
            "selection": {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": days,
            },
            "action": {"type": "expire"},
        }
        aws.ecr.LifecyclePolicy(
            "repository-lifecycle",
            repository=self.repository.name,
            policy=json.dumps({"rules": [rule]}, sort_keys=True),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"repository": self.repository.repository_url})
