"""A runtime of one language in this process, with real worker processes, and the two calls of the controller."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Self

from werkzeug.test import TestResponse

from runtime.executor import Executor
from runtime.front.app import Front
from runtime.languages import LANGUAGES
from runtime.languages.base import Language
from runtime.metrics import RuntimeMetrics
from runtime.settings import Settings
from tests.environments import Environment


def document(answer: TestResponse) -> Any:
    """The JSON of an answer."""
    return answer.get_json()


class ServedRuntime:
    """Calls go through the WSGI application, without a server."""

    def __init__(
        self,
        language: str,
        settings: Settings,
        languages: Mapping[str, Callable[[Settings], Language]] = LANGUAGES,
        dialect: str | None = None,
    ) -> None:
        self.language = language
        #: The language in the paths of its calls.
        self.dialect = dialect or language
        self.settings = settings
        self.executor = Executor(languages[language](settings), settings, RuntimeMetrics(language))
        self._front = Front(language, self.executor, settings)

    def get(self, path: str, **headers: str) -> TestResponse:
        """Post a body, with the secret unless other `headers` are given."""
        return self._front.test_client().get(
            path, headers=headers or {"X-Runtime-Secret": self.settings.secret}
        )

    def prepare(self, script: str, **more: Any) -> TestResponse:
        return self._post(f"/runtime/{self.dialect}/test/prepare", script, {"script_content": script} | more)

    def run(self, script: str, params: dict[str, Any] | None = None, **more: Any) -> TestResponse:
        """Run a script, sending its content along."""
        body = {"script_content": script, "params": params or {}, "context": {}, "timeout_ms": 10_000}
        return self._post(
            f"/runtime/{self.dialect}/test",
            script,
            body | {"request_id": "r1", "isolation": "session"} | more,
        )

    def result(self, script: str, params: dict[str, Any] | None = None, **more: Any) -> Any:
        """Return the result of a script, which must succeed."""
        answer = self.run(script, params, **more)
        assert answer.status_code == 200, answer.json
        return document(answer)["result"]

    def failure(self, script: str, params: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """Return the details of a run, which must end with RUNTIME_ERROR."""
        answer = self.run(script, params, **more)
        assert document(answer)["error"]["code"] == "RUNTIME_ERROR", answer.json
        details: dict[str, Any] = document(answer)["error"]["details"]
        return details

    def put(self, digest: str, part: int | str, body: bytes, **headers: str) -> TestResponse:
        """Send a part of an environment, with the secret unless other `headers` are given."""
        return self._front.test_client().put(
            f"/runtime/{self.dialect}/environments/{digest}/{part}",
            data=body,
            headers=headers or {"X-Runtime-Secret": self.settings.secret},
        )

    def keep(self, environment: Environment) -> str:
        """Send all parts of an environment. Return its digest."""
        for number, part in enumerate(environment.parts):
            answer = self.put(environment.digest, number, part)
            assert answer.status_code == 204, answer.get_data()
        return environment.digest

    def close(self) -> None:
        self._front.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _post(self, path: str, script: str, body: dict[str, Any]) -> TestResponse:
        reference = {
            "tenant": "t1",
            "script_hash": hashlib.sha256(script.encode()).hexdigest(),
            "compile_options": {},
        }
        headers = {"X-Runtime-Secret": self.settings.secret}
        return self._front.test_client().post(path, json=reference | body, headers=headers)
