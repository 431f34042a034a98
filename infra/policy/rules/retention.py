"""What is written is kept for a while, can be had back, and goes in the end."""

from __future__ import annotations

from collections.abc import Iterator

from rules.encryption import BUCKET, keeps_access_logs
from rules.resources import UNKNOWN, Resource, Settings, Stack, number, resource_rule, stack_rule


@resource_rule(
    "log-group-retention",
    "Log groups say how long they keep what is written.",
    "aws:cloudwatch/logGroup:LogGroup",
    settings={"days": number(731, "At most so long.")},
)
def log_group_retention(group: Resource, settings: Settings) -> Iterator[str]:
    """The default is for ever, at a price that only grows."""
    days = group.props.get("retentionInDays")
    if days is UNKNOWN:
        return
    if not isinstance(days, int | float) or days < 1:
        yield "retentionInDays is missing: it would keep everything for ever"
    elif days > settings["days"]:
        yield f"retentionInDays is {days:.0f}, and at most {settings['days']:.0f} are allowed"


@stack_rule("bucket-lifecycle", "Buckets let go of old versions and of uploads that nobody finished.")
def bucket_lifecycle(stack: Stack, _settings: Settings) -> Iterator[tuple[Resource, str]]:
    """A versioned bucket without a lifecycle never becomes smaller."""
    for bucket in stack.of(BUCKET):
        found = stack.belonging("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", bucket, "bucket")
        if any(each.props.get("rules") is UNKNOWN for each in found):
            continue
        rules = [rule for each in found for rule in each.each("rules") if rule.get("status") in ("Enabled", UNKNOWN)]
        if not rules:
            yield bucket, "it has no BucketLifecycleConfiguration with an enabled rule"
            continue
        if not any(rule.get("abortIncompleteMultipartUpload") for rule in rules):
            yield bucket, "no rule ends unfinished uploads (abortIncompleteMultipartUpload)"
        if not any(rule.get("noncurrentVersionExpiration") or rule.get("expiration") for rule in rules):
            yield bucket, "no rule expires anything"


@stack_rule("bucket-versioned", "Buckets keep what was overwritten or deleted.")
def bucket_versioned(stack: Stack, _settings: Settings) -> Iterator[tuple[Resource, str]]:
    """The way back from a mistake."""
    for bucket in stack.of(BUCKET):
        found = stack.belonging("aws:s3/bucketVersioning:BucketVersioning", bucket, "bucket")
        states = [status for each in found for status in each.inside("versioningConfiguration", "status")]
        if not any(each in ("Enabled", UNKNOWN) for each in states):
            yield bucket, "it has no BucketVersioning that is Enabled"


@stack_rule("bucket-access-logged", "Who reads and writes a bucket is written down.")
def bucket_access_logged(stack: Stack, _settings: Settings) -> Iterator[tuple[Resource, str]]:
    """A bucket that keeps others' access logs would log its own logging."""
    for bucket in stack.of(BUCKET):
        logged = stack.belonging("aws:s3/bucketLogging:BucketLogging", bucket, "bucket")
        if not logged and not keeps_access_logs(stack, bucket):
            yield bucket, "it has no BucketLogging"


@stack_rule("repository-lifecycle", "Repositories let go of images that nothing names any more.")
def repository_lifecycle(stack: Stack, _settings: Settings) -> Iterator[tuple[Resource, str]]:
    """Images are a gigabyte each."""
    for repository in stack.of("aws:ecr/repository:Repository"):
        if not stack.belonging("aws:ecr/lifecyclePolicy:LifecyclePolicy", repository, "repository"):
            yield repository, "it has no LifecyclePolicy"


POLICIES = (log_group_retention, bucket_lifecycle, bucket_versioned, bucket_access_logged, repository_lifecycle)
