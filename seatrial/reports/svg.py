"""SVG elements as escaped text, scales and ticks: the little that the report's pictures need.

No style is set here, only classes: the style sheet colours them, for light, dark and paper alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup, escape


def tag(name: str, *children: str, **attributes: str | float | None) -> Markup:
    """``<name attribute="…">children</name>``.

    Children that are not Markup are escaped, as are attributes; those that are None are left out. ``_`` in a name
    stands for ``-``, and a trailing one (``class_``) for nothing.
    """
    element = Markup(name)  # noqa: S704 - names are literals of this package
    text = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _attribute(value))
        for key, value in attributes.items()
        if value is not None
    )
    return Markup("<{}{}>{}</{}>").format(element, text, Markup("").join(map(escape, children)), element)


def _attribute(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")


@dataclass(frozen=True)
class Scale:
    """Maps [low, high] to [start, end], linearly; values outside land on the ends."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return where ``value`` is drawn."""
        width = self.high - self.low
        part = 0.5 if width <= 0 else (value - self.low) / width
        return self.start + min(1.0, max(0.0, part)) * (self.end - self.start)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers in [low, high], about as many as asked for: steps of 1, 2 or 5 times a power of ten."""
    if not high > low:
        return [low]
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = min((1, 2, 5, 10), key=lambda factor: abs(math.log(factor * power / raw))) * power
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [n * step for n in range(first, last + 1)]


def polyline(points: Iterable[tuple[float, float]], class_: str) -> Markup:
    """A line through points, drawn and not filled."""
    return tag("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points), class_=class_)
