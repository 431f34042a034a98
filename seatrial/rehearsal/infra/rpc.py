"""gRPC, as the engine and the policy pack use it."""

from __future__ import annotations

import os


def quieten() -> None:
    """Have gRPC keep to itself that a peer has ended: programs and packs do. To be called before its first import."""
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
