"""Puts what completes moto in moto's place, and takes it away again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch


@contextmanager
def completing() -> Iterator[None]:
    """As long as the block runs. moto reads a service's URL table when its first request arrives."""
    from moto.awslambda.policy import Policy
    from moto.budgets import urls as budgets_urls
    from moto.cloudwatch import urls as cloudwatch_urls
    from moto.ec2 import urls as ec2_urls
    from moto.ec2.models.security_groups import SecurityGroupRule
    from moto.iam import urls as iam_urls
    from moto.logs import urls as logs_urls
    from moto.s3.models import FakeBucket

    from seatrial.rehearsal.aws.alarms.operations import CloudWatch
    from seatrial.rehearsal.aws.completed.budgets import Budgets
    from seatrial.rehearsal.aws.completed.functions import once
    from seatrial.rehearsal.aws.completed.identity import Identity
    from seatrial.rehearsal.aws.completed.logging import may_deliver
    from seatrial.rehearsal.aws.completed.network import Network, described, remembering
    from seatrial.rehearsal.aws.logs import Logs

    responders = (
        (budgets_urls, Budgets),
        (cloudwatch_urls, CloudWatch),
        (ec2_urls, Network),
        (iam_urls, Identity),
        (logs_urls, Logs),
    )
    changed = (
        (FakeBucket, "_log_permissions_enabled_policy", staticmethod(may_deliver)),
        (Policy, "add_statement", once(Policy.add_statement)),
        (SecurityGroupRule, "__init__", remembering(SecurityGroupRule.__init__)),
        (SecurityGroupRule, "description", property(described)),
    )

    with ExitStack() as stack:
        for module, responder in responders:
            stack.enter_context(patch.dict(module.url_paths, dict.fromkeys(module.url_paths, responder.dispatch)))
        for owner, name, better in changed:
            stack.enter_context(patch.object(owner, name, better))
        yield
