"""A process that promotes versions as fast as it can; started by ``test_registry_crash.py``.

Waits for a line on its input, so that all start together. Prints one line per promotion: won, lost, or that another
process had already done for it.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from seatrial.clouds.local.registry import LocalRegistry
from seatrial.errors import RegistryError
from tests.contract.registry_samples import MODEL, verify


def main() -> None:
    state, versions, times, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    registry = LocalRegistry(state, verify)
    chance = random.Random(seed)
    champion = registry.champion(MODEL)
    print("ready", flush=True)  # noqa: T201 - its output is its result
    sys.stdin.readline()
    for _ in range(times):
        over = champion.number if champion else None
        version = chance.choice([n for n in range(1, versions + 1) if n != over])
        try:
            changed = registry.promote(MODEL, version, expected_champion=over).changed
            print("won" if changed else "same", version, over, flush=True)  # noqa: T201
        except RegistryError as exc:
            if not exc.what.startswith("stale evidence"):
                raise
            print("stale", version, over, flush=True)  # noqa: T201
        champion = registry.champion(MODEL)


if __name__ == "__main__":
    main()
