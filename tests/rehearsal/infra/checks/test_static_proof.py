"""The static proof: seeded mistakes are found where they are, and the program's stacks have none."""

from __future__ import annotations

import html
import json
import re
import string
from collections.abc import Callable
from typing import Any

import pytest

from seatrial.clouds.aws import shapes
from seatrial.rehearsal.infra.proof import prove
from seatrial.rehearsal.infra.proof.constraints import CALLS, place
from seatrial.rehearsal.infra.provider.base import UNKNOWN, blob
from seatrial.rehearsal.infra.registered import Registration
from tests.rehearsal.infra.checks.conftest import STACKS, Capture
from tests.rehearsal.infra.checks.program import Program

Seed = tuple[Callable[[Program], None], str, str]
ALARM = ("MetricAlarm", "flights-error-rate")
PERMISSIONS = ("RolePolicy", "budget-stop-permissions")


def rules(**default: Any) -> Callable[[Program], None]:
    changed = [{"applyServerSideEncryptionByDefault": default}]
    return lambda p: p.change("BucketServerSideEncryptionConfiguration", "artifacts-encryption", rules=changed)


def statement(sid: str, **elements: Any) -> Callable[[Program], None]:
    return lambda p: p.statement(*PERMISSIONS, sid, **elements)


SCHEMA: dict[str, Seed] = {
    "a nested key as Python writes it": (
        rules(sseAlgorithm="aws:kms", kms_master_key_id="k"),
        "rules[0].applyServerSideEncryptionByDefault.kms_master_key_id",
        "has no such property; did you mean 'kmsMasterKeyId'?",
    ),
    "a nested key that is required": (
        rules(kmsMasterKeyId="k"),
        "rules[0].applyServerSideEncryptionByDefault.sseAlgorithm",
        "missing, and BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefault requires it",
    ),
    "a property that is not there": (
        lambda p: p.change("Bucket", "artifacts", bucketName="b"),
        "bucketName",
        "Bucket has no such property; did you mean",
    ),
    "a property that is required": (
        lambda p: p.change("BucketLogging", "artifacts-logging", targetBucket=None),
        "targetBucket",
        "missing, and BucketLogging requires it",
    ),
    "text for a number": (lambda p: p.change(*ALARM, period="60"), "period", "expected an integer, found text"),
    "half a number": (lambda p: p.change(*ALARM, period=0.5), "period", "expected an integer, found a number"),
    "a number for a text": (lambda p: p.change(*ALARM, namespace=7), "namespace", "expected text, found an integer"),
    "text for true": (
        lambda p: p.change("Key", "artifacts-key", enableKeyRotation="true"),
        "enableKeyRotation",
        "expected true or false, found text",
    ),
    "one for several": (lambda p: p.change(*ALARM, alarmActions="arn"), "alarmActions", "expected a list, found text"),
    "several for one": (
        lambda p: p.change("Repository", "repository", imageScanningConfiguration=[{"scanOnPush": True}]),
        "imageScanningConfiguration",
        "expected an object, found a list",
    ),
    "a number in a map of texts": (lambda p: p.change("Bucket", "logs", tags={"a": 1}), "tags.a", "expected text"),
    "a file for a text": (
        lambda p: p.change("Function", "budget-stop", handler=blob("asset", b"x")),
        "handler",
        "expected text, found a file",
    ),
    "text for a file": (
        lambda p: p.change("Function", "budget-stop", code="code"),
        "code",
        "expected a file (Archive), found text",
    ),
    "a type that is not there": (
        lambda p: p.add("s3/bucket:Buckets", "b"),
        "",
        "there is no resource type 'aws:s3/bucket:Buckets'; did you mean 'aws:s3/bucket:Bucket'?",
    ),
}
CONSTRAINT: dict[str, Seed] = {
    "a comparison that is not there": (
        lambda p: p.change(*ALARM, comparisonOperator="Bigger"),
        "comparisonOperator",
        "'Bigger' is not a ComparisonOperator",
    ),
    "a statistic that is not there": (lambda p: p.change(*ALARM, statistic="Avg"), "statistic", "is not a Statistic"),
    "an enumeration below another": (
        rules(sseAlgorithm="aws:kmss"),
        "rules[0].applyServerSideEncryptionByDefault.sseAlgorithm",
        "did you mean 'aws:kms'?",
    ),
    "a storage class that is not there": (
        lambda p: p.change(
            "BucketLifecycleConfiguration",
            "artifacts-lifecycle",
            rules=[{"id": "cold", "status": "Enabled", "transitions": [{"days": 30, "storageClass": "ICY"}]}],
        ),
        "rules[0].transitions[0].storageClass",
        "'ICY' is not a TransitionStorageClass",
    ),
    "a name with an underscore": (
        lambda p: p.change("ModelPackageGroup", "flights-group", modelPackageGroupName="my_flights"),
        "modelPackageGroupName",
        "does not match",
    ),
    "a name that is too long": (lambda p: p.change("Role", "data-role", name="r" * 70), "name", "70 characters"),
    "an upper-case repository": (
        lambda p: p.change("Repository", "repository", name="Flights"),
        "name",
        "does not match",
    ),
    "a rule's state": (lambda p: p.change("EventRule", "failed-training", state="ON"), "state", "is not a RuleState"),
    "too little memory": (lambda p: p.change("Function", "budget-stop", memorySize=64), "memorySize", "at least 128"),
    "a runtime that is not there": (
        lambda p: p.change("Function", "budget-stop", runtime="python3.99"),
        "runtime",
        "'python3.99' is not a Runtime",
    ),
    "a budget's period": (
        lambda p: p.change("Budget", "monthly", timeUnit="MONTH"),
        "timeUnit",
        "did you mean 'MONTHLY'?",
    ),
    "a notification's comparison": (
        lambda p: p.change(
            "Budget",
            "monthly",
            notifications=[
                {
                    "comparisonOperator": "MORE",
                    "notificationType": "ACTUAL",
                    "threshold": 1,
                    "thresholdType": "PERCENTAGE",
                }
            ],
        ),
        "notifications[0].comparisonOperator",
        "'MORE' is not a ComparisonOperator",
    ),
    "a tag that is too long": (
        lambda p: p.change("ModelPackageGroup", "flights-group", tags={"k": "v" * 300}),
        "tags.k",
        "300 characters",
    ),
    "an apostrophe in a security group's description": (
        lambda p: p.change("SecurityGroup", "jobs", description="Out to the services' endpoints"),
        "description",
        "does not match",
    ),
    "an apostrophe in a rule's description": (
        lambda p: p.change("SecurityGroupEgressRule", "jobs-to-services", description="The services' endpoints"),
        "description",
        "does not match",
    ),
    "a quotation mark in a rule within its group": (
        lambda p: p.change(
            "SecurityGroup",
            "services",
            ingress=[{"protocol": "tcp", "fromPort": 443, "toPort": 443, "description": 'from "jobs"'}],
        ),
        "ingress[0].description",
        "does not match",
    ),
    "a description of a rule that is too long": (
        lambda p: p.change("SecurityGroupIngressRule", "services-from-jobs", description="j" * 256),
        "description",
        "does not match",
    ),
    "an event that is retried for ever": (
        lambda p: p.change("EventTarget", "flights-drifted-train", retryPolicy={"maximumRetryAttempts": 1000}),
        "retryPolicy.maximumRetryAttempts",
        "at most 185",
    ),
}
PERMISSION: dict[str, Seed] = {
    "an action that is not there": (
        statement("Delete", Action="sagemaker:DeleteEndpoints"),
        "policy.Statement[2].Action",
        "sagemaker has no such action; did you mean 'deleteendpoint'?",
    ),
    "a service that is not there": (
        statement("Delete", Action="sagemakr:DeleteEndpoint"),
        "policy.Statement[2].Action",
        "there is no service 'sagemakr'; did you mean 'sagemaker'?",
    ),
    "a wildcard that means nothing": (
        statement("Delete", Action="sagemaker:Destroy*"),
        "policy.Statement[2].Action",
        "sagemaker has no such action",
    ),
    "a resource of another kind": (
        statement("Delete", Resource="arn:aws:sagemaker:eu-central-1:123456789012:pipeline/seatrial-prod-x"),
        "policy.Statement[2].Resource",
        "'sagemaker:DeleteEndpoint' is about endpoint of sagemaker, and no resource of the statement is one",
    ),
    "a resource of another service": (
        statement("Log", Resource="arn:aws:s3:::logs"),
        "policy.Statement[3].Resource",
        "no action of the statement is about 'arn:aws:s3:::logs'",
    ),
    "a bucket for its objects": (
        lambda p: p.grant(Action="s3:GetObject", Resource="arn:aws:s3:::b"),
        "policy.Statement[0].Resource",
        "'s3:GetObject' is about",
    ),
    "objects for their bucket": (
        lambda p: p.grant(Action="s3:ListBucket", Resource="arn:aws:s3:::b/*"),
        "policy.Statement[0].Resource",
        "'s3:ListBucket' is about",
    ),
    "a resource for an action that knows none": (
        lambda p: p.grant(Action="ecr:GetAuthorizationToken", Resource="arn:aws:ecr:eu-central-1:1:repository/r"),
        "policy.Statement[0].Resource",
        "it is only ever allowed on '*'",
    ),
    "no ARN": (statement("Delete", Resource="seatrial-prod"), "policy.Statement[2].Resource", "is no ARN"),
    "a comparison of IAM that is not there": (
        statement("Delete", Condition={"StringEqual": {"aws:ResourceTag/a": "b"}}),
        "policy.Statement[2].Condition.StringEqual",
        "there is no such comparison; did you mean 'StringEquals'?",
    ),
    "a global key that is not there": (
        statement("Delete", Condition={"StringEquals": {"aws:SourceAcount": "1"}}),
        "policy.Statement[2].Condition.StringEquals.aws:SourceAcount",
        "did you mean 'aws:sourceaccount'?",
    ),
    "a key of another service": (
        statement("Delete", Condition={"StringEquals": {"s3:prefix": "x"}}),
        "policy.Statement[2].Condition.StringEquals.s3:prefix",
        "it is a key of s3, and no action of the statement is",
    ),
    "an effect": (statement("Find", Effect="Permit"), "policy.Statement[0].Effect", "neither Allow nor Deny"),
    "an element": (statement("Find", Ressource="*"), "policy.Statement[0].Ressource", "did you mean 'Resource'?"),
    "a service that trusts": (
        lambda p: p.statement(
            "Role",
            "data-role",
            "SagemakerOfThisAccount",
            "assumeRolePolicy",
            Principal={"Service": "sagemakr.amazonaws.com"},
        ),
        "assumeRolePolicy.Statement[0].Principal.Service",
        "did you mean 'sagemaker'?",
    ),
    "an account that is too short": (
        lambda p: p.statement("Role", "launch-role", "Launchers", "assumeRolePolicy", Principal={"AWS": "12345"}),
        "assumeRolePolicy.Statement[0].Principal.AWS",
        "is no account, role or user",
    ),
}


@pytest.mark.parametrize(
    ("check", "what"),
    [
        (check, what)
        for check, seeds in (("schema", SCHEMA), ("constraint", CONSTRAINT), ("permission", PERMISSION))
        for what in seeds
    ],
)
def test_a_seeded_mistake_is_found_where_it_is(check: str, what: str, registered: Capture) -> None:
    damage, path, problem = {"schema": SCHEMA, "constraint": CONSTRAINT, "permission": PERMISSION}[check][what]
    program = Program(registered("prod"))
    damage(program)
    found = prove(program.all)
    assert [(each.check, each.path) for each in found if problem in each.problem] == [(check, path)], found
    assert {each.path for each in found} == {path}


@pytest.mark.parametrize("how", ["up", "preview", "everything"])
@pytest.mark.parametrize("stack", STACKS)
def test_the_programs_stacks_are_proven(stack: str, how: str, registered: Capture) -> None:
    assert prove(registered(stack, how)) == []


def test_every_type_of_the_program_has_a_schema_that_was_looked_at(registered: Capture) -> None:
    """A resource whose class of arguments is not found would pass in silence: a wrong name is noticed in each."""
    kinds = {each.type: each for each in registered("prod") if each.type.startswith("aws:")}
    for each in kinds.values():
        wrong = Registration(each.urn, each.type, each.name, {**each.inputs, "seeded": 1})
        assert [found.path for found in prove([wrong])] == ["seeded"], each.type


@pytest.mark.parametrize("type", CALLS)
def test_renamed_properties_have_their_place_in_botocore(type: str) -> None:
    """A path in the table that leads nowhere would judge nothing."""
    for call in CALLS[type]:
        shape = shapes.request_shape(call.operation, call.service)
        for plain in call.renamed:
            if "." not in plain:
                assert place(call, shape, plain, plain) is not None


WORDED = sorted({each for calls in CALLS.values() for call in calls for each in call.words.values()})


def test_patterns_are_what_botocore_says_in_words() -> None:
    """They are copied from there: where AWS takes more one day, or less, this one has to be copied again."""
    (pattern,) = WORDED
    shape = shapes.request_shape("CreateSecurityGroup", "ec2").members["Description"]
    said = html.unescape(shape.documentation)
    assert "255 characters" in said
    assert "a-z, A-Z, 0-9, spaces, and ._-:/()#,@[]+=&;{}!$*" in said
    allowed = {*string.ascii_letters, *string.digits, *" ._-:/()#,@[]+=&;{}!$*"}
    assert {each for each in map(chr, range(0x250)) if re.fullmatch(pattern, each)} == allowed
    assert re.fullmatch(pattern, "a" * 255) and not re.fullmatch(pattern, "a" * 256)


def test_unknown_values_and_secrets_of_a_preview_are_not_judged() -> None:
    alarm = {"comparisonOperator": UNKNOWN, "evaluationPeriods": UNKNOWN, "name": "a", "dimensions": {"a": UNKNOWN}}
    assert prove([Registration("urn:pulumi:dev::p::t::a", "aws:cloudwatch/metricAlarm:MetricAlarm", "a", alarm)]) == []


def test_a_finding_names_its_resource_its_place_and_what_is_right() -> None:
    policy = json.dumps({"Statement": {"Effect": "Allow", "Action": "s3:GetObjects", "Resource": "*"}})
    registration = Registration(
        "urn:pulumi:dev::p::t::x", "aws:iam/rolePolicy:RolePolicy", "x", {"role": "r", "policy": policy}
    )
    (found,) = prove([registration])
    assert str(found) == (
        "permission: x.policy.Statement[0].Action: 's3:GetObjects': s3 has no such action; did you mean 'getobject'?"
        " [urn:pulumi:dev::p::t::x]"
    )
