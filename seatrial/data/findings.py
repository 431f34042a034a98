"""What ``validate`` found: findings with severities, as JSON for machines and as text for people."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal, Self

from seatrial.errors import DataError

Severity = Literal["error", "blocker", "warning"]
"""``error``: the data cannot be used and the run stops. ``blocker``: training may go on to show the damage, the gate
rejects. ``warning``: worth a look."""

SEVERITIES: tuple[Severity, ...] = ("error", "blocker", "warning")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with one column, or with the table."""

    severity: Severity
    kind: str
    """A short constant name, such as ``range`` or ``leakage``; the gate and reports group by it."""
    column: str
    """The column, or "" when it is about the table."""
    message: str
    """Value, place, limit and count, in words; complete without the other fields."""
    count: int
    """Rows concerned."""
    examples: tuple[str, ...] = ()
    """A few offending values with the key or time of their row."""
    limit: str = ""
    """What the value was held against."""


@dataclass(frozen=True)
class Findings:
    """Everything that one validation found, most severe first."""

    dataset: str
    rows: int
    found: tuple[Finding, ...]

    def of(self, severity: Severity) -> tuple[Finding, ...]:
        """The findings of one severity."""
        return tuple(finding for finding in self.found if finding.severity == severity)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Findings that stop the run."""
        return self.of("error")

    @property
    def blockers(self) -> tuple[Finding, ...]:
        """Findings on which the gate rejects."""
        return self.of("blocker")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Findings worth a look."""
        return self.of("warning")

    def summary(self) -> str:
        """One line: ``0 errors, 3 warnings (pressure missing in 11.2 % of rows, ...)``."""
        parts = [_counted(len(self.errors), "error")]
        if self.blockers:
            parts.append(_counted(len(self.blockers), "blocker"))
        parts.append(_counted(len(self.warnings), "warning"))
        named = ", ".join(f"{f.column} {f.kind}" if f.column else f.kind for f in self.found[:3])
        more = ", …" if len(self.found) > 3 else ""
        return ", ".join(parts) + (f" ({named}{more})" if named else "")

    def text(self) -> str:
        """Several lines: every finding, under its severity."""
        width = max((len(finding.column) for finding in self.found), default=0)
        lines: list[str] = []
        for severity in SEVERITIES:
            if chosen := self.of(severity):
                lines.append(f"validate: {_counted(len(chosen), severity)} in dataset '{self.dataset}'")
                lines += [f"  {finding.column:<{width}}  {finding.message}" for finding in chosen]
        return "\n".join(lines) or f"validate: nothing found in dataset '{self.dataset}'"

    def require_usable(self) -> None:
        """Stop the run when there are errors.

        Raises:
            DataError: with every error in it.
        """
        if self.errors:
            raise DataError(
                self.text(),
                why="Nothing was trained.",
                todo="Fix the source or dataset.sql, or change what model.toml declares "
                f'(training/{self.dataset}/model.toml: range, missing = "impute", split).',
            )

    def to_json(self) -> str:
        """Canonical JSON: equal findings give equal bytes."""
        return json.dumps(asdict(self), sort_keys=True, indent=2, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what :meth:`to_json` wrote."""
        plain = json.loads(text)
        found = tuple(Finding(**{**item, "examples": tuple(item["examples"])}) for item in plain["found"])
        return cls(dataset=plain["dataset"], rows=plain["rows"], found=found)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
