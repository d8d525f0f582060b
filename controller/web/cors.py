"""Cross-origin use by browsers: which pages of other origins may call, and what they may send and see."""

from collections.abc import Collection

from flask import Flask, Response, request

METHODS = "GET, POST, DELETE, OPTIONS"
ALLOWED_HEADERS = (
    "Content-Type, Authorization, Language-Title, X-Request-ID, X-Cache-Control, Idempotency-Key, traceparent"
)
EXPOSED_HEADERS = "X-Request-ID, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset"
#: Seconds a browser may remember what it was allowed.
MAX_AGE = "86400"
ANY = "*"


class OriginPolicy:
    """Lets pages of `origins` (`https://host[:port]`, or `*`) call; none: browsers keep other pages away."""

    def __init__(self, origins: Collection[str]) -> None:
        self._origins = origins

    def headers(self, origin: str | None) -> list[tuple[str, str]]:
        """What an answer to a page of `origin` has; without one the same answer may still be kept for such a page."""
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
        """Answers `app`'s preflights, which need no token: a browser sends none. Marks all its answers."""
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
