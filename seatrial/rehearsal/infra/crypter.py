"""Pulumi's passphrase encryption: the same salt, key and wording as ``pulumi config set --secret`` writes."""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import secrets
from typing import TYPE_CHECKING

from seatrial.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_ITERATIONS = 1_000_000
_CHECK = "pulumi"
"""What a salt's third part decrypts to, under the right passphrase."""


class Crypter:
    """Encrypts and decrypts under one passphrase and salt."""

    def __init__(self, passphrase: str, salt: bytes) -> None:
        """``salt``: 8 bytes."""
        self._salt = salt
        self._key = _key(passphrase, salt)

    @classmethod
    def new(cls, passphrase: str) -> Crypter:
        """With a salt of its own."""
        return cls(passphrase, secrets.token_bytes(8))

    @classmethod
    def of(cls, passphrase: str, state: str) -> Crypter:
        """As ``state`` says (``v1:salt:v1:nonce:text``), which is how files write it.

        Raises:
            UsageError: it is another passphrase, or no such state.
        """
        version, salt, check = [*state.split(":", 2), "", ""][:3]
        try:
            crypter = cls(passphrase, base64.b64decode(salt, validate=True))
        except (ValueError, binascii.Error):
            version = ""
        if version != "v1" or crypter.decrypt(check) != _CHECK:
            raise _wrong()
        return crypter

    @property
    def state(self) -> str:
        """What `of` takes."""
        return f"v1:{base64.b64encode(self._salt).decode()}:{self.encrypt(_CHECK)}"

    def encrypt(self, text: str) -> str:
        """``v1:nonce:text``."""
        nonce = secrets.token_bytes(12)
        sealed = _cipher(self._key).encrypt(nonce, text.encode(), None)
        return f"v1:{base64.b64encode(nonce).decode()}:{base64.b64encode(sealed).decode()}"

    def decrypt(self, text: str) -> str:
        """The other way.

        Raises:
            UsageError: it is not of this passphrase and salt, or was changed.
        """
        from cryptography.exceptions import InvalidTag

        parts = text.split(":")
        try:
            if len(parts) != 3 or parts[0] != "v1":
                raise ValueError
            opened = _cipher(self._key).decrypt(base64.b64decode(parts[1]), base64.b64decode(parts[2]), None)
        except (InvalidTag, ValueError, binascii.Error) as exc:
            raise _wrong() from exc
        return opened.decode()


@functools.lru_cache(maxsize=16)
def _key(passphrase: str, salt: bytes) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, _ITERATIONS, 32)


def _cipher(key: bytes) -> AESGCM:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as missing:
        raise MissingExtra("Encrypting a stack's secrets", "cryptography", "rehearse") from missing
    return AESGCM(key)


def _wrong() -> UsageError:
    return UsageError(
        "a secret cannot be decrypted with this passphrase",
        why="It was encrypted with another, or was changed since.",
        todo="Give the stack's passphrase in PULUMI_CONFIG_PASSPHRASE.",
    )
