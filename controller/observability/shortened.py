"""Documents for the log: what is too long for a row is replaced by its length and its digest."""

import hashlib
from typing import Any

from msgspec import Raw

from controller.json_codec import dumps

#: The only key of what stands for a part that is left out, and the bytes that it may take.
CUT, CUT_BYTES = "cut", 128
#: Levels of objects that are looked into for the parts that are too long. Each is written once more.
LEVELS = 3


def shortened(document: Any, most: int, levels: int = LEVELS) -> bytes:
    """Return the JSON text of a document, in which parts that are too long are replaced.

    Args:
        document: may contain `Raw`, which is not parsed.
        most: the longest text, in bytes. One below `CUT_BYTES` leaves out every document.
        levels: levels of objects of which parts are kept.

    Raises:
        RecursionError: the document is nested too deeply.
    """
    text = dumps(document)
    if len(text) <= most:
        return text
    if levels and isinstance(document, dict) and len(document) * CUT_BYTES <= most:
        share = most // len(document)
        return dumps({key: Raw(shortened(value, share, levels - 1)) for key, value in document.items()})
    return dumps({CUT: {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}})
