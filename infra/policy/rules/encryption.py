"""What is stored is encrypted with a key of this account, so that who may read it is written in one key policy."""

from __future__ import annotations

from collections.abc import Iterator

from rules.resources import UNKNOWN, Resource, Settings, Stack, resource_rule, stack_rule

BUCKET = "aws:s3/bucket:Bucket"


def keeps_access_logs(stack: Stack, bucket: Resource) -> bool:
    """Whether other buckets' access logs go there: S3 delivers those only where SSE-S3 encrypts."""
    return bool(stack.belonging("aws:s3/bucketLogging:BucketLogging", bucket, "targetBucket"))


@stack_rule("bucket-encrypted", "Buckets encrypt with a KMS key of the account; a bucket of access logs with SSE-S3.")
def bucket_encrypted(stack: Stack, _settings: Settings) -> Iterator[tuple[Resource, str]]:
    """S3's own default encrypts, too, but with a key that everyone with ``s3:GetObject`` may use unseen."""
    for bucket in stack.of(BUCKET):
        found = stack.belonging(
            "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration", bucket, "bucket"
        )
        rules = [
            default
            for each in found
            for rule in each.each("rules")
            if isinstance(default := rule.get("applyServerSideEncryptionByDefault"), dict)
        ]
        if not found or (not rules and not any(each.props.get("rules") is UNKNOWN for each in found)):
            yield bucket, "it has no BucketServerSideEncryptionConfiguration with a default"
        elif keeps_access_logs(stack, bucket):
            continue
        elif any(rule.get("sseAlgorithm") not in ("aws:kms", "aws:kms:dsse", UNKNOWN) for rule in rules):
            yield bucket, "its default is not aws:kms"
        elif any(not rule.get("kmsMasterKeyId") for rule in rules):
            yield bucket, "it names no kmsMasterKeyId, so that AWS's own key for S3 is used"


@resource_rule("key-rotates", "Keys rotate every year by themselves.", "aws:kms/key:Key")
def key_rotates(key: Resource, _settings: Settings) -> Iterator[str]:
    """Only symmetric keys for encryption can; the others are not what encrypts data here."""
    symmetric = key.props.get("customerMasterKeySpec", "SYMMETRIC_DEFAULT") == "SYMMETRIC_DEFAULT"
    if symmetric and not key.says("enableKeyRotation", True):
        yield "enableKeyRotation is not true"


@resource_rule("topic-encrypted", "Topics encrypt what they keep: alarms name resources.", "aws:sns/topic:Topic")
def topic_encrypted(topic: Resource, _settings: Settings) -> Iterator[str]:
    """A topic without a key keeps messages in clear text."""
    if not topic.given("kmsMasterKeyId"):
        yield "kmsMasterKeyId is missing"


@resource_rule("queue-encrypted", "Queues encrypt what they keep.", "aws:sqs/queue:Queue")
def queue_encrypted(queue: Resource, _settings: Settings) -> Iterator[str]:
    """Either with a key or as SQS does by itself; an explicit false is neither."""
    if not queue.given("kmsMasterKeyId") and not queue.says("sqsManagedSseEnabled", True):
        yield "it has neither kmsMasterKeyId nor sqsManagedSseEnabled"


@resource_rule(
    "log-group-encrypted", "Logs may quote data; they are encrypted as data are.", "aws:cloudwatch/logGroup:LogGroup"
)
def log_group_encrypted(group: Resource, _settings: Settings) -> Iterator[str]:
    """Log groups have no default key."""
    if not group.given("kmsKeyId"):
        yield "kmsKeyId is missing"


@resource_rule(
    "repository-encrypted",
    "Images hold the project's code; they are encrypted with its key.",
    "aws:ecr/repository:Repository",
)
def repository_encrypted(repository: Resource, _settings: Settings) -> Iterator[str]:
    """It cannot be changed once the repository exists."""
    if repository.props.get("encryptionConfigurations") is UNKNOWN:
        return
    found = repository.each("encryptionConfigurations")
    if not any(each.get("encryptionType") in ("KMS", UNKNOWN) and each.get("kmsKey") for each in found):
        yield "encryptionConfigurations has no encryptionType KMS with a kmsKey"


@resource_rule(
    "function-environment-encrypted",
    "A function's environment is encrypted with a key of the account.",
    "aws:lambda/function:Function",
)
def function_environment_encrypted(function: Resource, _settings: Settings) -> Iterator[str]:
    """Without variables there is nothing to encrypt."""
    if function.given("environment") and not function.given("kmsKeyArn"):
        yield "it has an environment and no kmsKeyArn"


@stack_rule("tracking-store-encrypted", "A tracking server keeps its artifacts in an encrypted bucket of this stack.")
def tracking_store_encrypted(stack: Stack, _settings: Settings) -> Iterator[tuple[Resource, str]]:
    """The server has no key of its own; `bucket-encrypted` sees to the stack's buckets."""
    for server in stack.of("aws:sagemaker/mlflowTrackingServer:MlflowTrackingServer"):
        uri = server.props.get("artifactStoreUri")
        name = uri.removeprefix("s3://").partition("/")[0] if isinstance(uri, str) else None
        ours = stack.of(BUCKET)
        if not any(server.refers_to(each, "artifactStoreUri") or each.props.get("bucket") == name for each in ours):
            yield server, "its artifactStoreUri is in no bucket of this stack"


POLICIES = (
    bucket_encrypted,
    key_rotates,
    topic_encrypted,
    queue_encrypted,
    log_group_encrypted,
    repository_encrypted,
    function_environment_encrypted,
    tracking_store_encrypted,
)
