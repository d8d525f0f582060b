"""CORS: which pages of other origins may call, and which headers they may send and read."""

from collections.abc import Collection

from flask import Flask, Response, request

METHODS = "GET, POST, PUT, DELETE, OPTIONS"
ALLOWED_HEADERS = (
    "Content-Type, Authorization, Language-Title, X-Request-ID, X-Cache-Control, Idempotency-Key, If-Match, "
    "traceparent"
)
EXPOSED_HEADERS = (
    "X-Request-ID, ETag, Location, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset"
)
#: Seconds that a browser may cache the response to a preflight.
MAX_AGE = "86400"
ANY = "*"


class OriginPolicy:
    """Lets pages of the given origins call.

    Args:
        origins: `https://host[:port]`, or `*` for all. Empty: browsers refuse pages of other origins.
    """

    def __init__(self, origins: Collection[str]) -> None:
        self._origins = origins

    def headers(self, origin: str | None) -> list[tuple[str, str]]:
        """Return the CORS headers for `origin`. Without one only `Vary` is sent, since the response may be cached."""
        if not self._origins:
            return []
        headers = [] if ANY in self._origins else [("Vary", "Origin")]
        if (allowed := self._allowed(origin)) is not None:
            headers += [
                ("Access-Control-Allow-Origin", allowed),
                ("Access-Control-Expose-Headers", EXPOSED_HEADERS),
            ]
        return headers

    def observe(self, app: Flask) -> None:
        """Answer the preflights of `app` and add CORS headers to its responses. A preflight needs no token."""
        if not self._origins:
            return

        @app.before_request
        def preflight() -> Response | None:
            if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
                return None
            response = Response(status=204)
            if self._allowed(request.headers.get("Origin")) is not None:
                response.headers["Access-Control-Allow-Methods"] = METHODS
                response.headers["Access-Control-Allow-Headers"] = ALLOWED_HEADERS
                response.headers["Access-Control-Max-Age"] = MAX_AGE
            return response

        @app.after_request
        def mark(response: Response) -> Response:
            response.headers.extend(self.headers(request.headers.get("Origin")))
            return response

    def _allowed(self, origin: str | None) -> str | None:
        if origin is None:
            return None
        if ANY in self._origins:
            return ANY
        return origin if origin in self._origins else None
