"""A Rust runtime and the controller's two calls to it."""

import hashlib
from dataclasses import dataclass
from typing import Any, Self

from runtime.executor import Executor
from runtime.front.app import Front
from runtime.languages.rust.language import Rust
from runtime.metrics import RuntimeMetrics
from runtime.settings import Settings

HEAD = "use serde_json::{json, Map, Value};\n\n"
SIGNATURE = "pub fn handler(context: Map<String, Value>) -> Result<Value, String> "


def script(body: str) -> str:
    """A script whose handler has that body, which starts in line 4."""
    return f"{HEAD}{SIGNATURE}{{\n{body}\n}}\n"


@dataclass(frozen=True)
class Answer:
    """What the runtime answered."""

    status: int
    json: Any


class RustRuntime:
    """Calls go through the WSGI application, without a server."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._front = Front("rust", Executor(Rust(settings), settings, RuntimeMetrics("rust")), settings)

    def prepare(self, content: str, artifact: str | None = None, **compile_options: Any) -> Answer:
        """Has a script compiled, unless its `artifact` goes along."""
        reference = self._reference(content, compile_options)
        return self._post("/runtime/rust/test/prepare", reference, script_content=content, artifact=artifact)

    def run(self, content: str, params: dict[str, Any] | None = None, **more: Any) -> Answer:
        """Runs a script by its hash; `script_content` or `artifact` go along only when given."""
        reference = self._reference(content, more.pop("compile_options", {}))
        body = {"request_id": "r1", "params": params or {}, "context": {}, "timeout_ms": 10_000, **more}
        return self._post("/runtime/rust/test", reference, **body)

    def prepared(self, content: str, params: dict[str, Any] | None = None, **more: Any) -> Answer:
        """Prepares a script, which must work, and runs it."""
        answer = self.prepare(content, **more.get("compile_options", {}))
        assert answer.status == 200, answer.json
        return self.run(content, params, **more)

    def close(self) -> None:
        self._front.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _reference(self, content: str, compile_options: dict[str, Any]) -> dict[str, Any]:
        script_hash = hashlib.sha256(content.encode()).hexdigest()
        return {"tenant": "t1", "script_hash": script_hash, "compile_options": compile_options}

    def _post(self, path: str, reference: dict[str, Any], **body: Any) -> Answer:
        headers = {"X-Runtime-Secret": self.settings.secret}
        response = self._front.test_client().post(path, json={**reference, **body}, headers=headers)
        return Answer(response.status_code, response.json)
