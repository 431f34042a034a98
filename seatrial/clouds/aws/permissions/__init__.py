"""Permissions: derived from the compiled pipelines and from the calls that adapters declare, never guessed.

``derive`` gives the grants of a stack's roles; `infra/aws` makes policies of them, ``seatrial permissions`` prints
them, and the rehearsal enforces them and counts which are used.
"""

from seatrial.clouds.aws.permissions.derive import derive
from seatrial.clouds.aws.permissions.grants import ROLES, Grant, Permissions, Place, Role, place_of
from seatrial.clouds.aws.permissions.used import Unused, Usage, Use, unused, usage, uses

__all__ = [
    "ROLES",
    "Grant",
    "Permissions",
    "Place",
    "Role",
    "Unused",
    "Usage",
    "Use",
    "derive",
    "place_of",
    "unused",
    "usage",
    "uses",
]
