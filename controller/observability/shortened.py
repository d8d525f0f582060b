"""Documents for the log: what is too long for a row is replaced by its length and its digest."""

import hashlib
from typing import Any

from msgspec import Raw

from controller.json_codec import dumps

#: The only key of what stands for a part that is left out.
CUT = "cut"


def shortened(document: Any, most: int) -> bytes:
    """Return the JSON text of a document, in which parts that are too long are replaced.

    Args:
        document: may contain `Raw`, which is not parsed.
        most: the longest text, in bytes. Many keys may make it longer.

    Raises:
        RecursionError: the document is nested too deeply.
    """
    text = dumps(document)
    if len(text) <= most:
        return text
    if not isinstance(document, dict):
        return dumps({CUT: {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}})
    return dumps({key: Raw(shortened(value, most // len(document))) for key, value in document.items()})
