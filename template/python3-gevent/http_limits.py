"""Limits of sizes and times for one client."""

import os
from dataclasses import dataclass
from typing import Any, Self

from http_app import HttpApp

#: Most bytes of a body, unless the application or the variable HTTP_BODY_MAX_BYTES sets another limit.
BODY_BYTES = 64 << 20
#: Most bytes of a head.
HEAD_BYTES = 32 << 10


@dataclass(frozen=True, slots=True)
class Limits:
    """The sizes that one request may have. If a setting of gunicorn is 0, only `head_bytes` applies.

    Attributes:
        head_bytes: Most bytes of the head, and of the framing of a chunked body.
        target_bytes: Most bytes of path and query together.
        fields: Most headers, and most trailers.
        field_bytes: Most bytes of one header, name and value.
        body_bytes: Most bytes of the body.
        asks_application: Whether the application refuses a larger body. It gets the request without the body then.
    """

    head_bytes: int = HEAD_BYTES
    target_bytes: int = 4094
    fields: int = 100
    field_bytes: int = 8190
    body_bytes: int = BODY_BYTES
    asks_application: bool = False

    @classmethod
    def of(cls, settings: Any, application: HttpApp | None) -> Self:
        """Read gunicorn's settings (`limit_request_*`) and the application's attribute `body_max_bytes`."""
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
class Timeouts:
    """How long a client may take, in seconds. Large bodies and responses may take longer, at a minimum rate.

    Attributes:
        head: From the first byte of a request to the end of its head.
        body: For its body, plus one second for every `body_rate` bytes received.
        body_rate: Bytes per second.
        write: For accepting a response, without the time of the application, plus one second for every `write_rate`
            bytes accepted.
        write_rate: Bytes per second.
        linger: For reading an error while the client still sends. Without it the client would not see the error.
        leave: At shutdown, for a client that has just got a response: its next request may be on its way.
    """

    head: float = 10.0
    body: float = 30.0
    body_rate: int = 32 << 10
    write: float = 30.0
    write_rate: int = 32 << 10
    linger: float = 2.0
    leave: float = 1.0
