"""IAM documents: policies and trust, as text that does not change unless what it says does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from infra.aws.scope import Scope

Statement = Mapping[str, Any]


def document(*statements: Statement) -> pulumi.Output[str]:
    """A policy; statements may hold values that only an update knows."""
    return pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": list(statements)}, sort_keys=True)


def trusted_service(scope: Scope, service: str, source: str) -> Statement:
    """A service may act, but for this account's own resources only: another account cannot make it act for theirs.

    Args:
        scope: the stack.
        service: such as ``sagemaker``.
        source: pattern of the ARNs on whose behalf.
    """
    return {
        "Sid": f"{service.capitalize()}OfThisAccount",
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": scope.account}, "ArnLike": {"aws:SourceArn": source}},
    }


def tls_only(resources: Sequence[pulumi.Input[str]]) -> Statement:
    """Nothing is read or written in clear text, whatever else allows it."""
    return {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": list(resources),
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
