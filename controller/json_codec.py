"""JSON of requests and responses, by msgspec. JSON that the controller does not parse passes as `msgspec.Raw`.

msgspec refuses lone surrogates. JSON may have them as escapes, and so may the strings of Python and JavaScript. Such
a text is read and written by Python's `json` instead.
"""

import json
from collections.abc import Collection
from typing import Any, Generic, NoReturn, TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)
_ENCODER = msgspec.json.Encoder()


def dumps(value: Any) -> bytes:
    """Return the JSON text of a value, which may contain `Raw`."""
    try:
        return _ENCODER.encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"), default=plain).encode()


class Reader(Generic[T]):
    """Reads the JSON text of a struct.

    Args:
        kind: the struct.
        raw: the names of fields that are `Raw`, also of nested structs.
    """

    def __init__(self, kind: type[T], raw: Collection[str]) -> None:
        self._kind = kind
        self._raw = raw
        self._decoder = msgspec.json.Decoder(kind)

    def read(self, text: bytes | msgspec.Raw) -> T:
        """Return the struct of a text.

        Raises:
            ValueError: the text is not UTF-8, not JSON, or not such a struct. `msgspec.DecodeError` is a ValueError.
        """
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
    """Convert `Raw` and structs for Python's `json`. Raises TypeError for anything else."""
    if isinstance(value, msgspec.Raw):
        return json.loads(bytes(value))
    if isinstance(value, msgspec.Struct):
        fields = msgspec.structs.asdict(value)
        return {name: given for name, given in fields.items() if given is not msgspec.UNSET}
    raise TypeError(f"{type(value)} is not JSON")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
