"""What holds data: buckets, keys, images, and the program's own state."""

from __future__ import annotations

from collections.abc import Iterator

from infra.aws.scope import Scope
from infra.aws.workflows.row import LISTING, Row


def stores(scope: Scope) -> Iterator[Row]:
    """Buckets, keys and the repository of images."""
    bucket = f"arn:{scope.partition}:s3:::{scope.prefix}-*"
    stacks = {"StringEquals": {"aws:ResourceTag/stack": scope.stack}}
    yield Row(
        "Buckets",
        (bucket,),
        (
            "s3:GetAccelerateConfiguration",
            "s3:GetBucketAcl",
            "s3:GetBucketCORS",
            "s3:GetBucketLocation",
            "s3:GetBucketLogging",
            "s3:GetBucketObjectLockConfiguration",
            "s3:GetBucketOwnershipControls",
            "s3:GetBucketPolicy",
            "s3:GetBucketPublicAccessBlock",
            "s3:GetBucketRequestPayment",
            "s3:GetBucketTagging",
            "s3:GetBucketVersioning",
            "s3:GetBucketWebsite",
            "s3:GetEncryptionConfiguration",
            "s3:GetLifecycleConfiguration",
            "s3:GetReplicationConfiguration",
            "s3:ListBucket",
            "s3:ListTagsForResource",
        ),
        (
            "s3:CreateBucket",
            "s3:DeleteBucket",
            "s3:DeleteBucketPolicy",
            "s3:ListBucketVersions",
            "s3:PutBucketLogging",
            "s3:PutBucketOwnershipControls",
            "s3:PutBucketPolicy",
            "s3:PutBucketPublicAccessBlock",
            "s3:PutBucketTagging",
            "s3:PutBucketVersioning",
            "s3:PutEncryptionConfiguration",
            "s3:PutLifecycleConfiguration",
            "s3:TagResource",
            "s3:UntagResource",
        ),
    )
    if not scope.settings.protect:
        yield Row("Emptying", (f"{bucket}/*",), write=("s3:DeleteObject", "s3:DeleteObjectVersion"))
    # No kms:CreateKey. A new key's tags take kms:TagResource on every key of the account, and AWS has no condition that
    # holds for new ones alone: whoever has it tags anybody's key as this stack's, and then owns it. The keys are made
    # with the roles of workflows, by the person who brings the stack up first.
    # https://docs.aws.amazon.com/kms/latest/developerguide/tag-permissions.html
    yield Row(
        "Keys",
        (scope.arn("kms", "key/*"),),
        ("kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListResourceTags"),
        (
            "kms:CreateAlias",
            "kms:CreateGrant",
            "kms:Decrypt",
            "kms:DeleteAlias",
            "kms:DisableKeyRotation",
            "kms:EnableKeyRotation",
            "kms:Encrypt",
            "kms:GenerateDataKey",
            "kms:PutKeyPolicy",
            "kms:RetireGrant",
            "kms:ScheduleKeyDeletion",
            "kms:TagResource",
            "kms:UntagResource",
            "kms:UpdateAlias",
            "kms:UpdateKeyDescription",
        ),
        stacks,
    )
    yield Row(
        "KeyNames",
        (scope.arn("kms", f"alias/{scope.prefix}-*"),),
        write=("kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"),
    )
    yield Row("KeyLists", ("*",), ("kms:ListAliases",), star_reason=LISTING)
    yield Row(
        "Images",
        (scope.arn("ecr", f"repository/{scope.prefix}"),),
        ("ecr:DescribeRepositories", "ecr:GetLifecyclePolicy", "ecr:ListTagsForResource"),
        (
            "ecr:CreateRepository",
            "ecr:DeleteLifecyclePolicy",
            "ecr:DeleteRepository",
            "ecr:PutImageScanningConfiguration",
            "ecr:PutImageTagMutability",
            "ecr:PutLifecyclePolicy",
            "ecr:TagResource",
            "ecr:UntagResource",
        ),
    )


def state(scope: Scope) -> Iterator[Row]:
    """Where Pulumi keeps what it knows of the stack, if that is in the account."""
    github = scope.settings.github
    if github is None or github.state is None:
        return
    bucket = f"arn:{scope.partition}:s3:::{github.state.bucket}"
    yield Row("State", (bucket,), ("s3:GetBucketLocation", "s3:ListBucket"))
    # A preview takes no lock and writes nothing; meta.yaml is written by whoever brings the first stack up.
    # https://github.com/pulumi/pulumi/blob/master/pkg/backend/diy/backend.go (Preview, and Update beside it)
    yield Row("StateFiles", (f"{bucket}/.pulumi/*",), ("s3:GetObject",))
    own = f"{scope.program}/{scope.stack}"
    yield Row(
        "StateOfThisStack",
        tuple(
            f"{bucket}/.pulumi/{each}"
            for each in (
                f"backups/{own}/*",
                f"history/{own}/*",
                f"locks/organization/{own}/*",
                f"stacks/{own}.json*",  # with .bak, .gz and the like
                f"stacks/{own}.pulumi-tags",
            )
        ),
        write=("s3:DeleteObject", "s3:PutObject"),
    )
    if github.state.key_arn is not None:
        yield Row("StateKey", (github.state.key_arn,), ("kms:Decrypt",), ("kms:Encrypt", "kms:GenerateDataKey"))
