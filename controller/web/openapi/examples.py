"""An example of each call, for the OpenAPI document."""

from typing import Any, NamedTuple

NAME, LIVE = "python-price", "live"
MOMENT, LATER = "2026-11-30T08:00:00.000Z", "2026-11-30T08:00:01.000Z"
SCRIPT = 'def handle(params):\n    return {"total": params["net"] * 1.2}\n'
SCRIPT_HASH = "63a8e63f63aa4047d5a8da8d3d9314d759bf5d61c724568612df63d4403aeb1c"
PARAMS_SCHEMA = {"type": "object", "required": ["net"], "properties": {"net": {"type": "number"}}}
SUMMARY = {
    "language": "python",
    "title": "price",
    "language_title": NAME,
    "description": "the price with tax",
    "type": "dynamic",
    "user_id": "alice",
    "created_at": MOMENT,
    "updated_at": MOMENT,
}
#: What is put and shown.
CONTENT = {
    "tags": ["shop"],
    "schema": {"params": PARAMS_SCHEMA},
    "enforce_result": False,
    "examples": [{"name": "a hundred", "params": {"net": 100}, "result": {"total": 120}}],
    "defaults": {"timeout_ms": 1000, "cache_ttl": 60},
}
DETAIL = {
    **SUMMARY,
    "version": 1,
    "newest": 1,
    "script_hash": SCRIPT_HASH,
    **CONTENT,
    "packages": [],
    "environment": None,
    "aliases": [LIVE],
    "compile_options": {},
    "script_content": SCRIPT,
}
SESSION_ID = "5f0c2d7e-6d1b-5d0a-8c39-2f4f3d1e9a10"
FIGURES = {
    "executions": 12,
    "errors": {"RUNTIME_ERROR": 1},
    "cached": 3,
    "cached_share": 0.25,
    "cpu_ms": 48.2,
    "wall_ms": 91.3,
    "bytes_in": 2048,
    "bytes_out": 4096,
}
CANARY = {"version": 1, "canary": {"version": 2, "weight": 0.1}}
KEY = {
    "name": "nightly report",
    "scope": "execute:python",
    "functions": [NAME, "python-mail@prod"],
    "expires_at": "2027-11-30T08:00:00.000Z",
}
DIGEST = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"
KEY_ID = "8e3c3a5e-7d2f-4b5a-9c55-0d8f4f5f2c11"


class Example(NamedTuple):
    """A body and the answer to it. None: there is none."""

    body: dict[str, Any] | None = None
    answer: dict[str, Any] | None = None


#: By the name of the route.
EXAMPLES = {
    "initialize": Example(
        {"script_content": SCRIPT, "context": {"timeout_ms": 1000}},
        {"request_id": SESSION_ID, "status": "initialized", "expires_at": LATER},
    ),
    "execute": Example(
        {"params": {"net": 50}},
        {
            "request_id": SESSION_ID,
            "language_title": NAME,
            "execution_time": 0.2,
            "cached": False,
            "result": {"total": 60.0},
        },
    ),
    "describe_session": Example(
        answer={
            "request_id": SESSION_ID,
            "language_title": NAME,
            "status": "active",
            "created_at": MOMENT,
            "expires_at": LATER,
            "execution_count": 1,
            "last_executed_at": MOMENT,
            "compile_status": None,
        }
    ),
    "end_session": Example(),
    "list_functions": Example(
        answer={"total": 1, "page": 1, "per_page": 20, "functions": [SUMMARY], "cursor": None}
    ),
    "describe_function": Example(answer=DETAIL),
    "put_function": Example(
        {"script_content": SCRIPT, "description": SUMMARY["description"], **CONTENT, "verify": True}, DETAIL
    ),
    "delete_function": Example(),
    "list_versions": Example(
        answer={
            "versions": [
                {"version": 2, "script_hash": SCRIPT_HASH, "created_at": LATER, "aliases": []},
                {"version": 1, "script_hash": SCRIPT_HASH, "created_at": MOMENT, "aliases": [LIVE]},
            ],
            "cursor": None,
        }
    ),
    "list_aliases": Example(answer={"aliases": [{"alias": LIVE, "version": 1}]}),
    "describe_alias": Example(answer={"alias": LIVE, **CANARY}),
    "put_alias": Example(CANARY, {"alias": LIVE, **CANARY}),
    "delete_alias": Example(),
    "execute_by_name": Example(
        {"params": {"net": 50}, "context": {"timeout_ms": 500}},
        {
            "request_id": SESSION_ID,
            "language_title": NAME,
            "execution_time": 0.2,
            "cached": False,
            "result": {"total": 60.0},
            "version": 1,
        },
    ),
    "describe_environment": Example(
        answer={
            "digest": DIGEST,
            "state": "ready",
            "packages": [{"name": "humanize", "version": "4.13.0", "bytes": 412_160, "licence": "MIT"}],
            "lock": f"humanize==4.13.0 --hash=sha256:{'0' * 64}\n",
            "bytes": 412_160,
            "built_ms": 840,
        }
    ),
    "create_key": Example(KEY, {"key_id": KEY_ID, "key": f"lmk_{'0' * 32}4l0dW7", **KEY}),
    "list_keys": Example(
        answer={"keys": [{"key_id": KEY_ID, **KEY, "created_at": MOMENT, "last_used_at": LATER}]}
    ),
    "delete_key": Example(),
    "usage": Example(
        answer={
            "from": "2026-11-29T08:00:00.000Z",
            "to": MOMENT,
            "bucket": "hour",
            "total": FIGURES,
            "buckets": [FIGURES | {"starts_at": "2026-11-30T07:00:00.000Z"}],
        }
    ),
    "isolation": Example(answer={"isolation": {"python": {"seccomp": True, "landlock": True}, "rust": None}}),
    "list_executions": Example(
        answer={
            "executions": [
                {
                    "http_request_id": "0b0b2f5e-9d53-4c0f-a1a9-4d7a4a3bb1c2",
                    "request_id": SESSION_ID,
                    "language_title": NAME,
                    "version": 1,
                    "status_code": 200,
                    "code": None,
                    "cached": False,
                    "cold": False,
                    "duration_ms": 4.2,
                    "execution_time": 0.2,
                    "cpu_time": 0.2,
                    "created_at": MOMENT,
                    "params": {"net": 50},
                    "result": {"total": 60.0},
                    "error": None,
                }
            ],
            "cursor": None,
        }
    ),
}
NONE = Example()


def example_of(route: str) -> Example:
    """Return the example of a route."""
    return EXAMPLES.get(route, NONE)
