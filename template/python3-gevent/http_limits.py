"""What one client may have of a worker: how much, and for how long."""

import os
from dataclasses import dataclass
from typing import Any, Self

from http_app import HttpApp

#: Bytes of a body where neither the application nor the variable HTTP_BODY_MAX_BYTES says anything else.
BODY_BYTES = 64 << 20
#: Bytes of a head.
HEAD_BYTES = 32 << 10


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one request may have; 0 of what gunicorn has a setting for is no limit of its own.

    Attributes:
        head_bytes: of the head as a whole, and of what stands between the parts of a body that comes in chunks.
        target_bytes: of the path and the query together.
        fields: headers, and trailers.
        field_bytes: of one header's name and value.
        body_bytes: of the body.
        asks_application: whether it is for the application to refuse a larger body, which it is not given then.
    """

    head_bytes: int = HEAD_BYTES
    target_bytes: int = 4094
    fields: int = 100
    field_bytes: int = 8190
    body_bytes: int = BODY_BYTES
    asks_application: bool = False

    @classmethod
    def of(cls, settings: Any, application: HttpApp | None) -> Self:
        """From gunicorn's settings (`limit_request_*`) and what the application announces (`body_max_bytes`)."""
        announced = None if application is None else application.body_max_bytes
        most = os.environ.get("HTTP_BODY_MAX_BYTES", BODY_BYTES) if announced is None else announced
        return cls(
            target_bytes=settings.limit_request_line or HEAD_BYTES,
            fields=settings.limit_request_fields,
            field_bytes=settings.limit_request_field_size or HEAD_BYTES,
            body_bytes=int(most),
            asks_application=announced is not None,
        )


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a client may take, in seconds. What is large may take longer, at so many bytes a second.

    Attributes:
        head: from a request's first byte to the end of its head.
        body: for its body, and one second more for every `body_rate` bytes that came.
        write: for taking an answer, waiting for the application apart; and one second more for every `write_rate`
            bytes that were taken.
        linger: for hearing of an error while still sending: closed at once the client would not see it.
        leave: at the server's end, for a client that has only just been answered: its next request may be on its way.
    """

    head: float = 10.0
    body: float = 30.0
    body_rate: int = 32 << 10
    write: float = 30.0
    write_rate: int = 32 << 10
    linger: float = 2.0
    leave: float = 1.0
