"""Runs a Pulumi program in a process of its own, as the Python language host of Pulumi's command line does.

``python -m seatrial.rehearsal.infra.host --monitor ADDRESS --engine ADDRESS … PROGRAM``; the configuration comes in
``PULUMI_CONFIG`` and ``PULUMI_CONFIG_SECRET_KEYS``. The program is unmodified, and so is Pulumi's SDK.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import runpy
import sys
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from seatrial.errors import SeatrialError


def main(arguments: Sequence[str]) -> int:
    """Run the program; 0: it registered everything, 1: it failed, and the engine was told why."""
    parser = argparse.ArgumentParser(prog="seatrial.rehearsal.infra.host")
    for name in ("project", "stack", "organization", "monitor", "engine"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--parallel", type=int, required=True)
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("program")
    given = parser.parse_args(arguments)

    import pulumi
    import pulumi.runtime
    from pulumi.runtime import config

    pulumi.runtime.set_all_config(config.get_config_env(), config.get_config_secret_keys_env())
    pulumi.runtime.configure(
        pulumi.runtime.Settings(
            monitor=given.monitor,
            engine=given.engine,
            project=given.project,
            stack=given.stack,
            organization=given.organization,
            parallel=given.parallel,
            dry_run=given.dry_run,
            root_directory=str(Path.cwd()),
        )
    )
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # a failed registration is told once, by the engine
    sys.argv = [given.program]
    return asyncio.run(_run(given.program, given.parallel))


async def _run(program: str, parallel: int) -> int:
    import pulumi
    from pulumi.runtime import run_in_stack

    def run() -> None:
        runpy.run_path(program, run_name="__main__")

    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(parallel))  # the SDK's requests wait there
    try:
        await run_in_stack(run)
    except SeatrialError as refused:
        pulumi.log.error(str(refused))
    except pulumi.RunError as told:
        pulumi.log.error(str(told))
    except Exception as failed:  # noqa: BLE001 whatever a program raises ends it, and is told
        pulumi.log.error("".join(traceback.format_exception(failed, limit=-4)))
    except SystemExit as ended:
        if not ended.code:
            return 0
        pulumi.log.error(f"the program ended itself with {ended.code}")
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
