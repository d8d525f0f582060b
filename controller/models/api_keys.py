"""API keys: their form, and what is kept of one."""

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from string import ascii_letters, digits
from typing import Any
from zlib import crc32

from controller.models.registered import Identity

#: How a key begins. A JSON Web Token never begins so.
PREFIX = "lmk_"
ALPHABET = digits + ascii_letters
#: Random characters of a key: 190 bits.
RANDOM_LENGTH = 32
#: Characters of the checksum: a CRC-32 in base 62.
CHECKSUM_LENGTH = 6
KEY = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{RANDOM_LENGTH + CHECKSUM_LENGTH}}}", re.ASCII)


def new_key() -> str:
    """Return a new key: a prefix, random characters and a checksum of both."""
    text = PREFIX + "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_LENGTH))
    return text + _checksum(text)


def well_formed(key: str) -> bool:
    """Return whether the text has the form and the checksum of a key. A key with one wrong character has not."""
    return KEY.fullmatch(key) is not None and key[-CHECKSUM_LENGTH:] == _checksum(key[:-CHECKSUM_LENGTH])


def key_hash(key: str) -> bytes:
    """Return the SHA-256 of a key. Nothing else of it is kept."""
    return hashlib.sha256(key.encode()).digest()


def _checksum(text: str) -> str:
    number, written = crc32(text.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, place = divmod(number, len(ALPHABET))
        written = ALPHABET[place] + written
    return written


@dataclass(frozen=True, slots=True)
class StoredKey:
    """What is kept of an API key."""

    key_id: str
    key_hash: bytes
    user_id: str
    name: str
    scopes: tuple[str, ...]
    #: References to the functions that it may execute by name. None: it is not bound to functions.
    functions: tuple[str, ...] | None
    created_at: datetime
    expires_at: datetime
    #: None: never. Up to two minutes old.
    last_used_at: datetime | None = None

    @property
    def identity(self) -> Identity:
        """The caller who sends the key: its maker, with the rights of the key."""
        functions = None if self.functions is None else frozenset(self.functions)
        return Identity(self.user_id, frozenset(self.scopes), functions=functions, by_key=True)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "StoredKey":
        """Read a row of `api_keys`."""
        fields = {name: row[name] for name in cls.__slots__}
        functions = row["functions"]
        return cls(
            **fields
            | {
                "key_hash": bytes(row["key_hash"]),
                "scopes": tuple(row["scopes"]),
                "functions": None if functions is None else tuple(functions),
            }
        )
