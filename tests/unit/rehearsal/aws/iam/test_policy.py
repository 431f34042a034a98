"""Policies are evaluated as IAM does it, and what is not understood is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from seatrial.rehearsal.aws.iam.conditions import NotUnderstood, hold
from seatrial.rehearsal.aws.iam.policy import parsed, trusts, verdict

OBJECT = "arn:aws:s3:::b/x/y"


def statements(*given: dict[str, Any]) -> Any:
    return parsed(json.dumps({"Version": "2012-10-17", "Statement": list(given)}))


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [
        ([], False),
        ([allow("s3:GetObject")], True),
        ([allow("s3:Get*", "arn:aws:s3:::b/*")], True),
        ([allow("S3:getobject")], True),
        ([allow("s3:PutObject")], False),
        ([allow("s3:GetObject", "arn:aws:s3:::c/*")], False),
        ([allow(["s3:PutObject", "s3:GetObject"], ["arn:aws:s3:::c/*", OBJECT])], True),
        ([allow("s3:*"), {"Effect": "Deny", "Action": "s3:GetObject", "Resource": OBJECT}], False),
        ([{"Effect": "Allow", "NotAction": "s3:PutObject", "Resource": "*"}], True),
        ([{"Effect": "Allow", "NotAction": "s3:Get*", "Resource": "*"}], False),
        ([{"Effect": "Allow", "Action": "s3:*", "NotResource": OBJECT}], False),
        ([allow("s3:GetObject", Condition={"StringEquals": {"aws:PrincipalArn": "me"}})], True),
        ([allow("s3:GetObject", Condition={"StringEquals": {"aws:PrincipalArn": "you"}})], False),
        ([allow("s3:GetObject", Condition={"StringEquals": {"s3:prefix": "x"}})], False),
    ],
)
def test_a_denial_wins_and_what_nobody_allows_is_not_allowed(policy: list[dict[str, Any]], allowed: bool) -> None:
    assert verdict(statements(*policy), "s3:GetObject", OBJECT, {"aws:PrincipalArn": "me"}).allowed is allowed


def test_an_explicit_denial_is_told_apart() -> None:
    denied = statements({"Effect": "Deny", "Action": "s3:*", "Resource": "*"})
    assert verdict(denied, "s3:GetObject", OBJECT, {}).explicit
    assert not verdict((), "s3:GetObject", OBJECT, {}).explicit


@pytest.mark.parametrize(
    ("conditions", "context", "holds"),
    [
        ({"StringLike": {"s3:prefix": ["a/*", "b/*"]}}, {"s3:prefix": "b/c"}, True),
        ({"StringLike": {"s3:prefix": "a/*"}}, {"s3:prefix": "b/c"}, False),
        ({"StringLike": {"s3:prefix": "a/*"}}, {}, False),
        ({"StringLikeIfExists": {"s3:prefix": "a/*"}}, {}, True),
        ({"StringNotEquals": {"k": ["a", "b"]}}, {"k": "b"}, False),
        ({"StringNotEquals": {"k": ["a", "b"]}}, {"k": "c"}, True),
        ({"StringNotEquals": {"k": "a"}}, {}, True),
        ({"Bool": {"kms:GrantIsForAWSResource": True}}, {"kms:GrantIsForAWSResource": "true"}, True),
        ({"Bool": {"aws:SecureTransport": "false"}}, {"aws:SecureTransport": "true"}, False),
        ({"Null": {"k": "true"}}, {}, True),
        ({"Null": {"k": "false"}}, {}, False),
        ({"ArnLike": {"k": "arn:aws:s3:::a*"}}, {"k": "arn:aws:s3:::ab"}, True),
        ({"NumericLessThanEquals": {"k": "10"}}, {"k": "10"}, True),
        ({"StringEquals": {"A:B": "x"}}, {"a:b": "x"}, True),
        ({"StringEquals": {"a": "x"}, "StringLike": {"b": "y*"}}, {"a": "x", "b": "z"}, False),
    ],
)
def test_conditions_hold_all_together(conditions: dict[str, Any], context: dict[str, str], holds: bool) -> None:
    assert hold(conditions, context) is holds


@pytest.mark.parametrize(
    "statement",
    [
        allow("s3:GetObject", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
        allow("s3:GetObject", Condition={"ForAllValues:StringEquals": {"aws:TagKeys": "x"}}),
        allow("s3:GetObject", "arn:aws:s3:::b/${aws:username}"),
        allow("s3:GetObject", Condition={"StringEquals": {"a": "${aws:username}"}}),
        allow("s3:GetObject", Principal="*"),
    ],
)
def test_what_is_not_understood_is_refused_and_never_ignored(statement: dict[str, Any]) -> None:
    with pytest.raises(NotUnderstood):
        statements(statement)


@pytest.mark.parametrize(
    ("principal", "condition", "kind", "who", "trusted"),
    [
        ({"Service": "sagemaker.amazonaws.com"}, {}, "Service", "sagemaker.amazonaws.com", True),
        ({"Service": "events.amazonaws.com"}, {}, "Service", "sagemaker.amazonaws.com", False),
        ({"AWS": "arn:aws:iam::1:root"}, {}, "AWS", "arn:aws:iam::1:role/a", True),
        ({"AWS": "arn:aws:iam::2:root"}, {}, "AWS", "arn:aws:iam::1:role/a", False),
        ({"AWS": "arn:aws:iam::1:role/b"}, {}, "AWS", "arn:aws:iam::1:role/a", False),
        ("*", {}, "AWS", "arn:aws:iam::1:role/a", True),
        (
            {"Service": "sagemaker.amazonaws.com"},
            {"StringEquals": {"aws:SourceAccount": "2"}},
            "Service",
            "sagemaker.amazonaws.com",
            False,
        ),
    ],
)
def test_a_trust_policy_names_whom_it_lets_in(
    principal: Any, condition: dict[str, Any], kind: str, who: str, trusted: bool
) -> None:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", "Condition": condition}
    text = json.dumps({"Statement": statement})
    assert trusts(text, kind, who, "sts:AssumeRole", {"aws:SourceAccount": "1"}) is trusted
