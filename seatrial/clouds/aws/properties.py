"""What a version remembers, as the customer metadata of its model package.

SageMaker takes 50 pairs, keys up to 128 and values up to 256 characters, and neither an arrow nor a comma in them. So
other characters are written as ``=XX`` (their UTF-8 bytes), and a long value goes on under ``key/2``, ``key/3``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from seatrial.errors import RegistryError

MOST = 49
"""One is left for what the registry shows of the version's role."""
_KEY_LENGTH = 128
_VALUE_LENGTH = 256
_OTHER = re.compile(r"[^A-Za-z0-9 _.:+\-@]")
_CODED = re.compile(r"(?:=[0-9A-F]{2})+")


def encoded(values: Mapping[str, str]) -> dict[str, str]:
    """The pairs as SageMaker takes them.

    Raises:
        RegistryError: there are too many, or a key is too long.
    """
    pairs: dict[str, str] = {}
    for key, value in values.items():
        name, text = _encoded(key), _encoded(value)
        parts = [text[at : at + _VALUE_LENGTH] for at in range(0, len(text), _VALUE_LENGTH)]
        for index, part in enumerate(parts, 1):
            pairs[name if index == 1 else f"{name}/{index}"] = part
    long = sorted(key for key in pairs if len(key) > _KEY_LENGTH or not key)
    if long or len(pairs) > MOST:
        raise RegistryError(
            f"the tags do not fit a model package: {', '.join(long) or f'{len(pairs)} pairs'}",
            why=f"There is room for {MOST} pairs: keys up to {_KEY_LENGTH}, values up to {_VALUE_LENGTH} characters.",
            todo="Register with fewer or shorter tags.",
        )
    return pairs


def decoded(pairs: Mapping[str, str]) -> dict[str, str]:
    """The values again; what something else wrote there comes out as it is."""
    values = {}
    for name in sorted(pairs):
        if "/" in name:
            continue
        text, index = pairs[name], 2
        while f"{name}/{index}" in pairs:
            text += pairs[f"{name}/{index}"]
            index += 1
        values[_decoded(name)] = "" if text == "=" else _decoded(text)
    return values


def _encoded(text: str) -> str:
    """An empty value is no value to SageMaker; ``=`` alone stands for it."""
    return _OTHER.sub(lambda found: "".join(f"={byte:02X}" for byte in found[0].encode()), text) or "="


def _decoded(text: str) -> str:
    return _CODED.sub(lambda found: bytes.fromhex(found[0].replace("=", "")).decode(errors="replace"), text)
