"""Mistakes that the policy pack has to catch: each a small change of a valid program, and the policy meant for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.rehearsal.infra.checks.program import TAGS, Program

Damage = Callable[[Program], None]
SAGEMAKER = {"Service": "sagemaker.amazonaws.com"}
HOST = "token.actions.githubusercontent.com"
GITHUB = {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{HOST}"}


def both(first: Damage, second: Damage) -> Damage:
    def damage(program: Program) -> None:
        first(program)
        second(program)

    return damage


def oidc(aud: str | None = "sts.amazonaws.com", **sub: str) -> Damage:
    condition: dict[str, dict[str, str]] = {"StringEquals": {f"{HOST}:aud": aud}} if aud else {}
    for operator, subject in sub.items():
        condition.setdefault(operator, {})[f"{HOST}:sub"] = subject
    return lambda p: p.trust(Action="sts:AssumeRoleWithWebIdentity", Principal=GITHUB, Condition=condition)


def encryption(**default: str) -> Damage:
    rules = [{"applyServerSideEncryptionByDefault": default}]
    return lambda p: p.change("BucketServerSideEncryptionConfiguration", "artifacts-encryption", rules=rules)


def lifecycle(**changes: Any) -> Damage:
    def damage(program: Program) -> None:
        at = program.find("BucketLifecycleConfiguration", "artifacts-lifecycle")
        rules = [
            {key: each for key, each in {**rule, **changes}.items() if each is not None}
            for rule in program.all[at].inputs["rules"]
        ]
        program.change("BucketLifecycleConfiguration", "artifacts-lifecycle", rules=rules)

    return damage


def server(**inputs: Any) -> Damage:
    store = "s3://seatrial-prod-artifacts-123456789012-eu-central-1/mlflow"
    given = {"trackingServerName": "t", "roleArn": "r", "artifactStoreUri": store, "tags": TAGS, **inputs}
    return lambda p: p.add("sagemaker/mlflowTrackingServer:MlflowTrackingServer", "t", protect=True, **given)


def notified(subscribers: list[dict[str, Any]]) -> Damage:
    said = {"notificationType": "ACTUAL", "comparisonOperator": "GREATER_THAN", "threshold": 80}
    heard = [{**said, "thresholdType": "PERCENTAGE", **each} for each in subscribers]
    return lambda p: p.change("Budget", "monthly", notifications=heard)


def queue(**inputs: Any) -> Damage:
    return lambda p: p.add("sqs/queue:Queue", "letters", tags=TAGS, **inputs)


def endpoint_configuration(instance_type: str) -> Damage:
    variants = [{"variantName": "live", "modelName": "m", "instanceType": instance_type}]
    return lambda p: p.add(
        "sagemaker/endpointConfiguration:EndpointConfiguration", "c", tags=TAGS, productionVariants=variants
    )


SEEDS: dict[str, tuple[str, Damage]] = {
    "a bucket without encryption settings": (
        "bucket-encrypted",
        lambda p: p.drop("BucketServerSideEncryptionConfiguration", "artifacts-encryption"),
    ),
    "a bucket that S3's own key encrypts": ("bucket-encrypted", encryption(sseAlgorithm="AES256")),
    "a bucket with KMS and no key named": ("bucket-encrypted", encryption(sseAlgorithm="aws:kms")),
    "a bucket of logs without encryption settings": (
        "bucket-encrypted",
        lambda p: p.drop("BucketServerSideEncryptionConfiguration", "logs-encryption"),
    ),
    "a key that never rotates": ("key-rotates", lambda p: p.change("Key", "artifacts-key", enableKeyRotation=False)),
    "a key that says nothing of rotation": (
        "key-rotates",
        lambda p: p.change("Key", "operations-key", enableKeyRotation=None),
    ),
    "a topic in clear text": ("topic-encrypted", lambda p: p.change("Topic", "notifications", kmsMasterKeyId=None)),
    "a queue in clear text": ("queue-encrypted", queue(sqsManagedSseEnabled=False)),
    "a log group without a key": ("log-group-encrypted", lambda p: p.change("LogGroup", "flights-logs", kmsKeyId=None)),
    "images that AWS's key encrypts": (
        "repository-encrypted",
        lambda p: p.change("Repository", "repository", encryptionConfigurations=[{"encryptionType": "AES256"}]),
    ),
    "a function's environment without a key": (
        "function-environment-encrypted",
        lambda p: p.change("Function", "budget-stop", kmsKeyArn=None),
    ),
    "a tracking server that writes elsewhere": (
        "tracking-store-encrypted",
        server(artifactStoreUri="s3://somebody-elses/mlflow"),
    ),
    "a bucket without a public access block": (
        "bucket-blocks-public-access",
        lambda p: p.drop("BucketPublicAccessBlock", "logs-public-access"),
    ),
    "a bucket that heeds public ACLs": (
        "bucket-blocks-public-access",
        lambda p: p.change("BucketPublicAccessBlock", "artifacts-public-access", ignorePublicAcls=False),
    ),
    "a bucket that forgets to block public policies": (
        "bucket-blocks-public-access",
        lambda p: p.change("BucketPublicAccessBlock", "artifacts-public-access", blockPublicPolicy=None),
    ),
    "a bucket without a policy": ("bucket-tls-only", lambda p: p.drop("BucketPolicy", "artifacts-policy")),
    "TLS for objects and not for the bucket": (
        "bucket-tls-only",
        lambda p: p.statement("BucketPolicy", "artifacts-policy", "TlsOnly", Resource=["arn:aws:s3:::b/*"]),
    ),
    "TLS for reading only": (
        "bucket-tls-only",
        lambda p: p.statement("BucketPolicy", "logs-policy", "TlsOnly", Action="s3:GetObject"),
    ),
    "a bucket with ACLs": (
        "bucket-owner-enforced",
        lambda p: p.change("BucketOwnershipControls", "artifacts-ownership", rule={"objectOwnership": "ObjectWriter"}),
    ),
    "logs that everyone may write": (
        "no-public-principal",
        lambda p: p.statement("BucketPolicy", "logs-policy", "AccessLogs", Principal="*", Condition=None),
    ),
    "a topic that every account may publish to": (
        "no-public-principal",
        lambda p: p.statement(
            "TopicPolicy", "notifications-policy", "EventsPublishes", Principal={"AWS": "*"}, Condition=None
        ),
    ),
    "a role that everyone may become": (
        "no-public-principal",
        lambda p: p.trust(Action="sts:AssumeRole", Principal={"AWS": "*"}),
    ),
    "a condition that any account meets": (
        "no-public-principal",
        lambda p: p.statement(
            "TopicPolicy",
            "notifications-policy",
            "EventsPublishes",
            Principal="*",
            Condition={"StringLike": {"aws:SourceAccount": "*"}},
        ),
    ),
    "everyone but one": (
        "no-public-principal",
        lambda p: p.statement(
            "TopicPolicy",
            "notifications-policy",
            "EventsPublishes",
            Principal=None,
            NotPrincipal={"AWS": "arn:aws:iam::123456789012:root"},
        ),
    ),
    "a function that everyone may call": (
        "no-public-principal",
        lambda p: p.change("Permission", "budget-stop-invoked", principal="*"),
    ),
    "a port that is open to the internet": (
        "no-open-ingress",
        lambda p: p.change(
            "SecurityGroupIngressRule", "services-from-jobs", cidrIpv4="0.0.0.0/0", referencedSecurityGroupId=None
        ),
    ),
    "a group that is open to IPv6": (
        "no-open-ingress",
        lambda p: p.change(
            "SecurityGroup",
            "jobs",
            ingress=[{"protocol": "tcp", "fromPort": 22, "toPort": 22, "ipv6CidrBlocks": ["::/0"]}],
        ),
    ),
    "a way out to everywhere": (
        "no-open-egress",
        lambda p: p.change("SecurityGroupEgressRule", "jobs-to-services", cidrIpv4="0.0.0.0/0"),
    ),
    "a subnet that gives public addresses": (
        "no-public-address",
        lambda p: p.change("Subnet", "private-a", mapPublicIpOnLaunch=True),
    ),
    "a policy that is not JSON": (
        "documents-readable",
        lambda p: p.change("TopicPolicy", "notifications-policy", policy='{"Statement": [}'),
    ),
    "every action": ("no-wildcard-action", lambda p: p.grant(Action="*", Resource="arn:aws:s3:::b/x")),
    "every action of a service": (
        "no-wildcard-action",
        lambda p: p.grant(Action=["s3:*"], Resource="arn:aws:s3:::b/x"),
    ),
    "every action that begins so": (
        "no-wildcard-action",
        lambda p: p.grant(Action=["s3:GetObject", "s3:Put*"], Resource="arn:aws:s3:::b/x"),
    ),
    "every action but one": (
        "no-wildcard-action",
        lambda p: p.grant(NotAction="iam:CreateUser", Resource="arn:aws:s3:::b/x"),
    ),
    "every action on a topic": (
        "no-wildcard-action",
        lambda p: p.statement("TopicPolicy", "notifications-policy", "EventsPublishes", Action="sns:*"),
    ),
    "every action on a key, for a role": (
        "no-wildcard-action",
        lambda p: p.statement(
            "Key",
            "artifacts-key",
            "AccountDecides",
            Action="kms:*",
            Principal={"AWS": "arn:aws:iam::123456789012:role/r"},
        ),
    ),
    "deletion of any endpoint": (
        "star-resource-has-reason",
        lambda p: p.grant(Action="sagemaker:DeleteEndpoint", Resource="*"),
    ),
    "a * in disguise": (
        "star-resource-has-reason",
        lambda p: p.grant(Action="s3:GetObject", Resource=["arn:aws:s3:::*"]),
    ),
    "every resource but one": (
        "star-resource-has-reason",
        lambda p: p.grant(Action="s3:GetObject", NotResource="arn:aws:s3:::b/x"),
    ),
    "metrics of any namespace": (
        "star-resource-has-reason",
        lambda p: p.grant(Action="cloudwatch:PutMetricData", Resource="*"),
    ),
    "keys of any stack": ("star-resource-has-reason", lambda p: p.grant(Action="kms:CreateKey", Resource="*")),
    "this stack's tag on anybody's key": (
        "star-resource-has-reason",
        lambda p: p.grant(
            Action="kms:TagResource",
            Resource="*",
            Condition={"StringEquals": {"aws:RequestTag/stack": "prod"}},
        ),
    ),
    "a role's own policy with deletion of anything": (
        "star-resource-has-reason",
        lambda p: p.change(
            "Role",
            "data-role",
            inlinePolicies=[
                {
                    "name": "own",
                    "policy": '{"Statement": {"Effect": "Allow", "Action": "s3:DeleteObject", "Resource": "*"}}',
                }
            ],
        ),
    ),
    "a role that is passed to any service": (
        "pass-role-pinned",
        lambda p: p.grant(Action="iam:PassRole", Resource="arn:aws:iam::123456789012:role/seatrial-prod-data"),
    ),
    "any role that is passed": (
        "pass-role-pinned",
        lambda p: p.grant(
            Action="iam:PassRole",
            Resource="arn:aws:iam::123456789012:role/*",
            Condition={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
        ),
    ),
    "AWS's full access, attached": (
        "no-broad-managed-policy",
        lambda p: p.add(
            "iam/rolePolicyAttachment:RolePolicyAttachment",
            "full",
            role="r",
            policyArn="arn:aws:iam::aws:policy/AmazonSageMakerFullAccess",
        ),
    ),
    "AWS's administrator, in the role": (
        "no-broad-managed-policy",
        lambda p: p.change("Role", "data-role", managedPolicyArns=["arn:aws:iam::aws:policy/AdministratorAccess"]),
    ),
    "a user": ("no-long-lived-keys", lambda p: p.add("iam/user:User", "ci", path="/")),
    "an access key": ("no-long-lived-keys", lambda p: p.add("iam/accessKey:AccessKey", "ci", user="ci")),
    "a service that acts for anybody": (
        "trust-confused-deputy",
        lambda p: p.statement("Role", "training-role", "SagemakerOfThisAccount", "assumeRolePolicy", Condition=None),
    ),
    "a service that acts for any account": (
        "trust-confused-deputy",
        lambda p: p.statement(
            "Role",
            "endpoint-role",
            "SagemakerOfThisAccount",
            "assumeRolePolicy",
            Condition={"StringLike": {"aws:SourceAccount": "*"}},
        ),
    ),
    "a service that hides behind Lambda": (
        "trust-confused-deputy",
        lambda p: p.trust(
            Action="sts:AssumeRole", Principal={"Service": ["lambda.amazonaws.com", "sagemaker.amazonaws.com"]}
        ),
    ),
    "a condition that holds where the key is missing": (
        "trust-confused-deputy",
        lambda p: p.trust(
            Action="sts:AssumeRole",
            Principal=SAGEMAKER,
            Condition={"StringEqualsIfExists": {"aws:SourceAccount": "123456789012"}},
        ),
    ),
    "alarms of any account on the topic": (
        "service-access-pinned",
        lambda p: p.statement("TopicPolicy", "notifications-policy", "CloudwatchPublishes", Condition=None),
    ),
    "a topic that asks EventBridge what it never says": (
        "eventbridge-let-in",
        lambda p: p.statement(
            "TopicPolicy",
            "notifications-policy",
            "EventsPublishes",
            Condition={"StringEquals": {"aws:SourceAccount": "123456789012"}},
        ),
    ),
    "a key that asks EventBridge what it never says": (
        "eventbridge-let-in",
        lambda p: p.statement(
            "Key",
            "operations-key",
            "EventsNotifies",
            Condition={"StringEquals": {"aws:SourceAccount": "123456789012"}},
        ),
    ),
    "a key with which EventBridge publishes anywhere": (
        "service-access-pinned",
        lambda p: p.statement("Key", "operations-key", "EventsNotifies", Condition=None),
    ),
    "access logs of any account": (
        "service-access-pinned",
        lambda p: p.statement("BucketPolicy", "logs-policy", "AccessLogs", Condition=None),
    ),
    "a key for log groups of any account": (
        "service-access-pinned",
        lambda p: p.statement("Key", "operations-key", "LogGroupsOfThisAccount", Condition=None),
    ),
    "a function that any topic may call": (
        "service-access-pinned",
        lambda p: p.change("Permission", "budget-stop-invoked", sourceArn=None),
    ),
    "workflows of any repository": ("oidc-trust-pinned", oidc(StringLike="repo:acme/*:ref:refs/heads/main")),
    "workflows of any repository of that name": (
        "oidc-trust-pinned",
        oidc(StringLike="repo:acme@123456/seatrial@*:environment:prod"),
    ),
    "workflows of any branch": ("oidc-trust-pinned", oidc(StringLike="repo:acme/seatrial:*")),
    "workflows of any branch, spelt out": (
        "oidc-trust-pinned",
        oidc(StringLike="repo:acme/seatrial:ref:refs/heads/*"),
    ),
    "workflows without a subject": ("oidc-trust-pinned", oidc()),
    "tokens for anybody": ("oidc-trust-pinned", oidc(None, StringEquals="repo:acme/seatrial:environment:prod")),
    "a provider for other audiences": (
        "oidc-audience",
        lambda p: p.add(
            "iam/openIdConnectProvider:OpenIdConnectProvider",
            "github",
            tags=TAGS,
            url=f"https://{HOST}",
            clientIdLists=["sts.amazonaws.com", "acme"],
        ),
    ),
    "logs for ever": (
        "log-group-retention",
        lambda p: p.change("LogGroup", "flights-logs", retentionInDays=None),
    ),
    "logs for ten years": (
        "log-group-retention",
        lambda p: p.change("LogGroup", "flights-logs", retentionInDays=3653),
    ),
    "a bucket without a lifecycle": (
        "bucket-lifecycle",
        lambda p: p.drop("BucketLifecycleConfiguration", "artifacts-lifecycle"),
    ),
    "a lifecycle that is switched off": ("bucket-lifecycle", lifecycle(status="Disabled")),
    "uploads that nobody ends": ("bucket-lifecycle", lifecycle(abortIncompleteMultipartUpload=None)),
    "old versions for ever": ("bucket-lifecycle", lifecycle(noncurrentVersionExpiration=None)),
    "a bucket without versions": (
        "bucket-versioned",
        lambda p: p.change("BucketVersioning", "artifacts-versioning", versioningConfiguration={"status": "Suspended"}),
    ),
    "a bucket that nobody watches": (
        "bucket-access-logged",
        both(
            lambda p: p.add("s3/bucketLogging:BucketLogging", "other", bucket="elsewhere", targetBucket=BUCKET_OF_LOGS),
            lambda p: p.drop("BucketLogging", "artifacts-logging"),
        ),
    ),
    "images for ever": ("repository-lifecycle", lambda p: p.drop("LifecyclePolicy", "repository-lifecycle")),
    "tags that move": (
        "repository-immutable",
        lambda p: p.change("Repository", "repository", imageTagMutability="MUTABLE"),
    ),
    "images that nobody scans": (
        "repository-scanned",
        lambda p: p.change("Repository", "repository", imageScanningConfiguration={"scanOnPush": False}),
    ),
    "a bucket without tags": ("mandatory-tags", lambda p: p.change("Bucket", "artifacts", tags=None)),
    "a role that nobody pays for": (
        "mandatory-tags",
        lambda p: p.change("Role", "data-role", tags={**TAGS, "cost-centre": ""}),
    ),
    "an unprotected bucket": ("prod-protected", lambda p: p.unprotect("Bucket", "artifacts")),
    "unprotected versions": ("prod-protected", lambda p: p.unprotect("ModelPackageGroup", "flights-group")),
    "a bucket that is emptied": (
        "prod-keeps-contents",
        lambda p: p.change("Bucket", "artifacts", forceDestroy=True),
    ),
    "images that go with their repository": (
        "prod-keeps-contents",
        lambda p: p.change("Repository", "repository", forceDelete=True),
    ),
    "alarms of another endpoint": (
        "endpoint-alarmed",
        both(
            lambda p: p.change("MetricAlarm", "flights-error-rate", dimensions={"EndpointName": "another"}),
            lambda p: p.change("MetricAlarm", "flights-latency-p99-ms", dimensions={"EndpointName": "another"}),
        ),
    ),
    "a guardrail that the rollout is told of and nobody makes": (
        "endpoint-alarmed",
        lambda p: p.drop("MetricAlarm", "flights-latency-p99-ms"),
    ),
    "a model without alarms": (
        "endpoint-alarmed",
        lambda p: p.add(
            "sagemaker/modelPackageGroup:ModelPackageGroup",
            "second",
            protect=True,
            tags=TAGS,
            modelPackageGroupName="seatrial-prod-second",
        ),
    ),
    "an alarm that tells nobody": (
        "alarm-acts",
        lambda p: p.change("MetricAlarm", "flights-error-rate", alarmActions=[]),
    ),
    "an alarm that is switched off": (
        "alarm-acts",
        lambda p: p.change("MetricAlarm", "flights-error-rate", actionsEnabled=False),
    ),
    "no budget": ("budget-present", lambda p: p.drop("Budget", "monthly")),
    "a budget that tells nobody": ("budget-notifies", lambda p: p.change("Budget", "monthly", notifications=[])),
    "a budget with a notification to nobody": (
        "budget-notifies",
        lambda p: p.change(
            "Budget", "monthly", notifications=[{"comparisonOperator": "GREATER_THAN", "threshold": 80}]
        ),
    ),
    "a notification with two topics": ("budget-notification-taken", notified([{"subscriberSnsTopicArns": ["a", "b"]}])),
    "a notification that is there twice": (
        "budget-notification-taken",
        notified([{"subscriberSnsTopicArns": [each]} for each in ("a", "b")]),
    ),
    "a pipeline that nobody may start": (
        "event-target-arrives",
        lambda p: p.change("EventTarget", "flights-drifted-train", roleArn=None),
    ),
    "a function that loses events": (
        "event-target-arrives",
        lambda p: p.change(
            "EventTarget", "failed-training-told", arn="arn:aws:lambda:eu-central-1:123456789012:function:f"
        ),
    ),
    "a rule that does nothing": ("rule-has-target", lambda p: p.drop("EventTarget", "failed-training-told")),
    "an endpoint on eight graphics processors": ("instance-types", endpoint_configuration("ml.p5.48xlarge")),
    "a large tracking server": ("tracking-server-size", server(trackingServerSize="Large")),
    "endpoints that are told to use an expensive machine": (
        "output-instance-type",
        lambda p: p.change("Stack", "seatrial-aws-prod", endpoint={"instance_type": "ml.p4d.24xlarge"}),
    ),
}
"""What is wrong -> the policy that says so, and the change."""
BUCKET_OF_LOGS = "seatrial-prod-logs-123456789012-eu-central-1"
