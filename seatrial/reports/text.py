"""Numbers as people read them. A value that is not there is an en dash, never a zero."""

from __future__ import annotations

import datetime as dt
import math

ABSENT = "–"
MINUS = "−"


def whole(value: float | None) -> str:
    """``327,346``."""
    return ABSENT if value is None else f"{value:,.0f}"


def score(value: float | None) -> str:
    """A metric: ``0.6943``."""
    return ABSENT if value is None or not math.isfinite(value) else f"{value:.4f}".replace("-", MINUS)


def signed(value: float | None, decimals: int = 4) -> str:
    """A difference, always with its sign: ``+0.0420``."""
    return ABSENT if value is None else f"{value:+.{decimals}f}".replace("-", MINUS)


def share(value: float | None) -> str:
    """``23.7 %``; what is there but rounds to nothing is ``< 0.1 %``."""
    if value is None:
        return ABSENT
    if 0 < value < 0.0005:
        return "< 0.1 %"
    return f"{100 * value:.1f} %"


def number(value: float | None) -> str:
    """Four significant digits, without an exponent where people do not need one: ``1,048``, ``9.25``, ``3.1e−07``."""
    if value is None or not math.isfinite(value):
        return ABSENT
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e15:
        decimals = max(0, 3 - math.floor(math.log10(abs(value))))
        text = f"{value:,.{decimals}f}"
        if "." in text:
            text = text.rstrip("0").rstrip(".")
    else:
        text = f"{value:.2g}"
    return text.replace("-", MINUS)


def seconds(value: float | None) -> str:
    """``0.02 s``, ``1.9 s``, ``3 min 20 s``."""
    if value is None:
        return ABSENT
    if value < 0.1:
        return f"{value:.2f} s"
    if value < 59.95:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def megabytes(value: float | None) -> str:
    """``0.4 MB``, ``512 MB``, ``1.2 GB``."""
    if value is None:
        return ABSENT
    if value >= 999.5:
        return f"{value / 1000:.1f} GB"
    return f"{value:.0f} MB" if value >= 10 else f"{value:.2g} MB"


def milliseconds(value: float | None) -> str:
    """``0.073 ms``."""
    return ABSENT if value is None else f"{value:.3g} ms"


def moment(value: dt.datetime) -> str:
    """``2026-11-20 14:05 UTC``."""
    return value.strftime("%Y-%m-%d %H:%M ") + (value.tzname() or "")


def day(iso: str) -> str:
    """The date of an ISO 8601 time."""
    return iso[:10]


def plural(count: int, noun: str) -> str:
    """``1 slice``, ``2 slices``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
