"""JSON as it passes on the way of a request: msgspec's, which carries what nobody here reads as `msgspec.Raw`.

To msgspec half of a surrogate pair is no text. JSON can hold one, as an escape, and so can Python's and JavaScript's
strings: where there is one, Python's own `json` reads and writes.
"""

import json
from collections.abc import Collection
from typing import Any, Generic, NoReturn, TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)
_ENCODER = msgspec.json.Encoder()


def dumps(value: Any) -> bytes:
    """The JSON text of a value, which may have `Raw` in it."""
    try:
        return _ENCODER.encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"), default=plain).encode()


class Reader(Generic[T]):
    """Reads the text of a struct.

    Args:
        raw: the names of its fields, and of those of structs in it, that are `Raw`.
    """

    def __init__(self, kind: type[T], raw: Collection[str]) -> None:
        self._kind = kind
        self._raw = raw
        self._decoder = msgspec.json.Decoder(kind)

    def read(self, text: bytes | msgspec.Raw) -> T:
        """Raises ValueError (msgspec.DecodeError is one): it is not UTF-8, not JSON, or not such a struct."""
        try:
            return self._decoder.decode(text)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            document = json.loads(bytes(text), object_hook=self._kept_raw, parse_constant=_refuse)
            return msgspec.convert(document, self._kind)

    def _kept_raw(self, fields: dict[str, Any]) -> dict[str, Any]:
        for name in fields.keys() & self._raw:
            fields[name] = msgspec.Raw(dumps(fields[name]))
        return fields


def plain(value: Any) -> Any:
    """What Python's `json` writes in place of `Raw` and of a struct; raises TypeError for anything else."""
    if isinstance(value, msgspec.Raw):
        return json.loads(bytes(value))
    if isinstance(value, msgspec.Struct):
        fields = msgspec.structs.asdict(value)
        return {name: given for name, given in fields.items() if given is not msgspec.UNSET}
    raise TypeError(f"{type(value)} is not JSON")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
