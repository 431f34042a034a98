"""Where artifacts lie, and who has read them."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from infra.aws.documents import Statement, document, tls_only
from infra.aws.scope import Scope


class Storage(pulumi.ComponentResource):
    """The bucket of artifacts, and the bucket of its access logs.

    Owns: both buckets and all of their settings: encryption, versions, no public access, one owner, TLS only, how long
    what was overwritten is kept, and the record of who reads and writes.

    Does not own: what lies in them, how long a model's packages and captured traffic are kept (a version that serves
    must not vanish by age), and source tables in other buckets.
    """

    bucket: aws.s3.Bucket
    """Packages, runs, captured traffic, the champions' records."""

    def __init__(self, scope: Scope, key: aws.kms.Key) -> None:
        super().__init__("seatrial:aws:Storage", "storage")
        self._scope = scope
        retention = scope.settings.retention
        logs = self._bucket("logs")
        self.bucket = self._bucket("artifacts")
        # S3 delivers access logs only into a bucket with S3's own keys:
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html
        delivery = self._settle("logs", logs, None, retention.access_logs_days, self._delivery(logs))
        self._settle("artifacts", self.bucket, key, None, [])
        aws.s3.BucketLogging(
            "artifacts-logging",
            bucket=self.bucket.bucket,
            target_bucket=logs.bucket,
            target_prefix="artifacts/",
            # S3 refuses it as long as it may not write there
            opts=pulumi.ResourceOptions(parent=self, depends_on=[delivery]),
        )
        self.register_outputs({"bucket": self.bucket.bucket})

    def _bucket(self, kind: str) -> aws.s3.Bucket:
        options = pulumi.ResourceOptions(parent=self, protect=self._scope.settings.protect)
        emptied = not self._scope.settings.protect  # what is not protected may be destroyed with what lies in it
        return aws.s3.Bucket(kind, bucket=self._scope.bucket(kind), force_destroy=emptied, opts=options)

    def _settle(
        self,
        kind: str,
        bucket: aws.s3.Bucket,
        key: aws.kms.Key | None,
        expires_days: int | None,
        statements: Sequence[Statement],
    ) -> aws.s3.BucketPolicy:
        name = bucket.bucket
        default = aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
            sse_algorithm="AES256" if key is None else "aws:kms", kms_master_key_id=None if key is None else key.arn
        )
        aws.s3.BucketServerSideEncryptionConfiguration(
            f"{kind}-encryption",
            bucket=name,
            rules=[
                aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
                    apply_server_side_encryption_by_default=default, bucket_key_enabled=key is not None
                )
            ],
            opts=self._below(),
        )
        aws.s3.BucketVersioning(
            f"{kind}-versioning",
            bucket=name,
            versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
            opts=self._below(),
        )
        block = aws.s3.BucketPublicAccessBlock(
            f"{kind}-public-access",
            bucket=name,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=self._below(),
        )
        aws.s3.BucketOwnershipControls(
            f"{kind}-ownership",
            bucket=name,
            rule=aws.s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
            opts=self._below(),
        )
        aws.s3.BucketLifecycleConfiguration(
            f"{kind}-lifecycle", bucket=name, rules=self._lifecycle(expires_days), opts=self._below()
        )
        both = [bucket.arn, pulumi.Output.concat(bucket.arn, "/*")]
        # S3 refuses two changes of a bucket's access at the same time
        return aws.s3.BucketPolicy(
            f"{kind}-policy",
            bucket=name,
            policy=document(tls_only(both), *statements),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[block]),
        )

    def _lifecycle(self, expires_days: int | None) -> list[aws.s3.BucketLifecycleConfigurationRuleArgs]:
        everything = aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix="")
        old = aws.s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
            noncurrent_days=self._scope.settings.retention.old_versions_days
        )
        uploads = aws.s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(days_after_initiation=7)
        rules = [
            aws.s3.BucketLifecycleConfigurationRuleArgs(
                id="old-versions", status="Enabled", filter=everything, noncurrent_version_expiration=old
            ),
            aws.s3.BucketLifecycleConfigurationRuleArgs(
                id="abandoned-uploads", status="Enabled", filter=everything, abort_incomplete_multipart_upload=uploads
            ),
        ]
        if expires_days is not None:
            expiry = aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(days=expires_days)
            rules.append(
                aws.s3.BucketLifecycleConfigurationRuleArgs(
                    id="expiry", status="Enabled", filter=everything, expiration=expiry
                )
            )
        return rules

    def _delivery(self, logs: aws.s3.Bucket) -> list[Statement]:
        scope = self._scope
        source = f"arn:{scope.partition}:s3:::{scope.bucket('artifacts')}"
        return [
            {
                "Sid": "AccessLogs",
                "Effect": "Allow",
                "Principal": {"Service": "logging.s3.amazonaws.com"},
                "Action": "s3:PutObject",
                "Resource": pulumi.Output.concat(logs.arn, "/artifacts/*"),
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": scope.account},
                    "ArnLike": {"aws:SourceArn": source},
                },
            }
        ]

    def _below(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self)
