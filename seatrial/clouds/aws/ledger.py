"""Who is champion, in S3: one small JSON object per model, changed by conditional writes only.

SageMaker can change one model package at a time and none on a condition, so it cannot promote: a process killed between
two calls would leave two champions or none, and two runs that finish together would both win. S3 can replace one object
if it still is the one that was read. See docs/adr/2026-11-21-champion-state-in-s3.md.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from typing import Any

from seatrial.clouds.aws.calls import Call, declare
from seatrial.clouds.aws.failures import Refused
from seatrial.clouds.aws.names import Names
from seatrial.clouds.aws.session import Aws
from seatrial.clouds.aws.stack import StackOutputs
from seatrial.clouds.champions import Champions
from seatrial.errors import RegistryError, ResourceError

_CHAMPION = ("s3:registry/{endpoint}/champion.json",)
READS = declare(Call("s3:GetObject", _CHAMPION, "read who is champion", may_be_missing=True))
CHANGES = declare(Call("s3:PutObject", _CHAMPION, "change who is champion"))
SCHEMA = 1
_TRIES = 40
_LONGEST_PAUSE_S = 0.5


class Ledger:
    """The promotions of every model of a stack."""

    def __init__(self, aws: Aws, stack: StackOutputs) -> None:
        self._aws = aws
        self._stack = stack

    def read(self, model: str) -> Champions:
        """The promotions of a model; empty when there were none.

        Raises:
            RegistryError: the object is damaged or was written by something newer.
        """
        return self._read(model)[0]

    def change(self, model: str, decide: Callable[[Champions], Champions]) -> tuple[Champions, Champions]:
        """Replace the promotions by what ``decide`` makes of them, in one step; returns (before, after).

        ``decide`` is asked again whenever somebody else was faster, with what that one left. It returns what it was
        given when there is nothing to change, and raises what speaks against it.

        Raises:
            ResourceError: somebody else was faster every time.
        """
        for attempt in range(_TRIES):
            before, etag = self._read(model)
            after = decide(before)
            if after is before:
                return before, after
            try:
                self._write(model, after, etag)
            except Refused as refused:
                # An answer that was lost is seen as somebody else's change, too: decide() finds it done.
                if not refused.moved and not (refused.absent and etag is not None):
                    raise
                time.sleep(random.random() * min(_LONGEST_PAUSE_S, 0.01 * 2.0**attempt))  # noqa: S311 - not a secret
                continue
            return before, after
        raise ResourceError(
            f"{self._stack.uri(self._key(model))} is changed by others all the time",
            why=f"It is replaced only as it was read, and {_TRIES} times somebody was faster. Nothing was changed.",
            todo="See who promotes so often, then run the same command again.",
        )

    def _key(self, model: str) -> str:
        return f"registry/{Names.of(self._stack, model).group}/champion.json"

    def _read(self, model: str) -> tuple[Champions, str | None]:
        key = self._stack.key(self._key(model))
        try:
            found = self._aws.ask("s3", "GetObject", Bucket=self._stack.bucket, Key=key)
        except Refused as refused:
            if refused.code != "NoSuchKey":
                raise
            return Champions(), None
        try:
            return _read(json.loads(found["Body"].read())), found["ETag"]
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise RegistryError(
                f"s3://{self._stack.bucket}/{key} is damaged or was written by a newer Seatrial: {exc}",
                why="It says which version is champion; guessing could serve the wrong model.",
                todo="Restore its last version in the bucket, or use the Seatrial that wrote it.",
            ) from exc

    def _write(self, model: str, champions: Champions, etag: str | None) -> None:
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        self._aws.submit(
            "s3",
            "PutObject",
            Bucket=self._stack.bucket,
            Key=self._stack.key(self._key(model)),
            Body=_written(champions),
            ContentType="application/json",
            **condition,
            **self._stack.encryption(),
        )


def _written(champions: Champions) -> bytes:
    versions = {
        str(number): {"promoted_over": over, "rolled_back": number in champions.rolled_back}
        for number, over in sorted(champions.promoted_over.items())
    }
    table = {
        "schema": SCHEMA,
        "champion": champions.champion,
        "previous": champions.previous,
        "versions": versions,
    }
    return json.dumps(table, indent=1).encode()


def _read(table: Any) -> Champions:
    if table["schema"] != SCHEMA:
        raise ValueError(f"schema {table['schema']}, and this Seatrial knows {SCHEMA}")
    versions = {int(number): each for number, each in table["versions"].items()}
    champions = Champions(
        champion=table["champion"],
        previous=table["previous"],
        promoted_over={number: each["promoted_over"] for number, each in versions.items()},
        rolled_back=frozenset(number for number, each in versions.items() if each["rolled_back"]),
    )
    unknown = {champions.champion, champions.previous} - versions.keys() - {None}
    if unknown or champions.champion in champions.rolled_back:
        raise ValueError("its champion was never promoted, or was rolled back")
    return champions
