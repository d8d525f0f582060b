"""Cross-origin use by browsers: which pages of other origins may call, and what they may send and see."""

from collections.abc import Collection

from flask import Flask, Response, request

METHODS = "GET, POST, DELETE, OPTIONS"
ALLOWED_HEADERS = (
    "Content-Type, Authorization, Language-Title, X-Request-ID, X-Cache-Control, Idempotency-Key, traceparent"
)
EXPOSED_HEADERS = "X-Request-ID, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset"
MAX_AGE = "86400"
"""Seconds a browser may remember what it was allowed."""
ANY = "*"


def allow_origins(app: Flask, origins: Collection[str]) -> None:
    """Lets pages of `origins` (`https://host[:port]`, or `*`) call `app`; none: browsers keep other pages away.

    A preflight needs no token: a browser sends none with it.
    """
    if not origins:
        return

    def allowed() -> str | None:
        origin = request.headers.get("Origin")
        if origin is None or ANY in origins:
            return origin and ANY
        return origin if origin in origins else None

    @app.before_request
    def preflight() -> Response | None:
        if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
            return None
        response = Response(status=204)
        if allowed():
            response.headers["Access-Control-Allow-Methods"] = METHODS
            response.headers["Access-Control-Allow-Headers"] = ALLOWED_HEADERS
            response.headers["Access-Control-Max-Age"] = MAX_AGE
        return response

    @app.after_request
    def mark(response: Response) -> Response:
        if ANY not in origins:
            response.vary.add("Origin")
        if origin := allowed():
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
        return response
