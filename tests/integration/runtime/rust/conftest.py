"""A Rust runtime, and the two calls of the controller."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import pytest
from werkzeug.test import TestResponse

from runtime.settings import Settings
from tests.integration.runtime.served import ServedRuntime

HEAD = "use serde_json::{json, Map, Value};\n\n"
SIGNATURE = "pub fn handler(context: Map<String, Value>) -> Result<Value, String> "


def script(body: str) -> str:
    """Return a script with a handler that has this body, starting in line 4."""
    return f"{HEAD}{SIGNATURE}{{\n{body}\n}}\n"


@dataclass(frozen=True)
class Choice:
    """A script of several bodies, of which the param `case` names the one that runs: one compilation for all."""

    bodies: Mapping[str, str]

    @property
    def script(self) -> str:
        """The script."""
        cases = "".join(
            f"    Some({json.dumps(name)}) => case_{n}(context),\n" for n, name in enumerate(self.bodies)
        )
        choosing = f'{SIGNATURE}{{\n    match context["params"]["case"].as_str() {{\n{cases}'
        return (
            f'{HEAD}{"".join(self._functions())}{choosing}    _ => Err("no such case".into()),\n    }}\n}}\n'
        )

    def line(self, case: str) -> int:
        """Return the line of the script in which a body starts."""
        before = list(self.bodies).index(case)
        return (HEAD + "".join(self._functions()[:before])).count("\n") + 2

    def _functions(self) -> list[str]:
        # Where one body were part of another one's function, its variables would take of that one's stack.
        return [
            f"#[inline(never)] {SIGNATURE.replace('pub fn handler', f'fn case_{n}')}{{\n{body}\n}}\n"
            for n, body in enumerate(self.bodies.values())
        ]


@dataclass(frozen=True)
class Answer:
    """An answer of the runtime."""

    status: int
    json: Any


class RustRuntime:
    """A Rust runtime. Scripts are run by their hash, unless their content is given."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._served = ServedRuntime("rust", settings)

    def prepare(self, content: str, artifact: str | None = None, **compile_options: Any) -> Answer:
        """Prepare a script: it is compiled unless its `artifact` is sent along."""
        return _answer(self._served.prepare(content, artifact=artifact, compile_options=compile_options))

    def run(self, content: str, params: dict[str, Any] | None = None, **more: Any) -> Answer:
        """Run a script; `script_content` and `artifact` are sent only if they are given."""
        return _answer(self._served.run(content, params, **{"script_content": None, **more}))

    def prepared(self, content: str, params: dict[str, Any] | None = None, **more: Any) -> Answer:
        """Prepare a script, which must succeed, and run it."""
        answer = self.prepare(content, **more.get("compile_options", {}))
        assert answer.status == 200, answer.json
        return self.run(content, params, **more)

    def close(self) -> None:
        self._served.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _answer(response: TestResponse) -> Answer:
    return Answer(response.status_code, response.json)


Serve = Callable[..., RustRuntime]


@pytest.fixture(scope="session")
def settings(rust_toolchain: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNTIME_SECRET", "integration-test-secret")
        patch.setenv("STATE_DIR", str(tmp_path_factory.mktemp("state")))
        patch.setenv("RUST_TOOLCHAIN", str(rust_toolchain))
        return Settings.from_environment()


@pytest.fixture(scope="session")
def rust(settings: Settings, compiled_state: Path) -> Iterator[RustRuntime]:
    """A runtime that all tests share which are not about compiling."""
    with RustRuntime(replace(settings, state=compiled_state)) as runtime:
        yield runtime


@pytest.fixture
def serve(settings: Settings, tmp_path: Path) -> Iterator[Serve]:
    """Starts runtimes with other settings and the same state folder, one after another."""
    started: list[RustRuntime] = []

    def start(**changes: object) -> RustRuntime:
        runtime = RustRuntime(replace(settings, **{"state": tmp_path, **changes}))  # type: ignore[arg-type]
        started.append(runtime)
        return runtime

    yield start
    for runtime in started:
        runtime.close()
