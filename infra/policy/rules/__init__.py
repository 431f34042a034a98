"""The rules, one module per concern. A rule that is not in this tuple is not asked."""

from pulumi_policy import Policy

from rules import access, capacity, encryption, images, operations, privilege, protection, retention, tags, trust

POLICIES: tuple[Policy, ...] = (
    *encryption.POLICIES,
    *access.POLICIES,
    *privilege.POLICIES,
    *trust.POLICIES,
    *retention.POLICIES,
    *images.POLICIES,
    *tags.POLICIES,
    *protection.POLICIES,
    *operations.POLICIES,
    *capacity.POLICIES,
)
