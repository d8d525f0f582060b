"""The controller's two calls to a runtime, over one kept-alive connection, timed."""

import hashlib
import itertools
import json
import time
from typing import Any, NamedTuple

from bench.connection import Connection


class Timed(NamedTuple):
    """An answer and how long it took, in milliseconds."""

    document: dict[str, Any]
    took: float


class RuntimeClient:
    """Calls the runtime of `language` at `port`; every new tenant gets workers of its own."""

    def __init__(self, language: str, port: int, secret: str) -> None:
        self._path = f"/runtime/{language}/bench"
        self._connection = Connection(port, {"X-Runtime-Secret": secret})
        self._tenants = itertools.count()

    def new_tenant(self) -> str:
        return f"tenant-{next(self._tenants)}"

    def prepare(self, script: str, tenant: str) -> Timed:
        return self._post(f"{self._path}/prepare", script, tenant, {"script_content": script})

    def run(self, script: str, tenant: str, **more: Any) -> Timed:
        """Run a script by its hash, or by what else is said."""
        body = {"request_id": "bench", "params": {"n": 1}, "context": {}, "timeout_ms": 30_000}
        answer = self._post(self._path, script, tenant, body | {"isolation": "session"} | more)
        if answer.document["result"] != 2:
            raise ValueError(f"a wrong result: {answer.document}")
        return answer

    def close(self) -> None:
        self._connection.close()

    def _post(self, path: str, script: str, tenant: str, more: dict[str, Any]) -> Timed:
        script_hash = hashlib.sha256(script.encode()).hexdigest()
        body = json.dumps({"tenant": tenant, "script_hash": script_hash, "compile_options": {}, **more})
        started = time.perf_counter()
        answer = self._connection.post(path, body.encode())
        took = (time.perf_counter() - started) * 1000
        if answer.status != 200:
            raise ValueError(f"{path} answered {answer.status} {answer.body.decode()}")
        return Timed(json.loads(answer.body), took)
