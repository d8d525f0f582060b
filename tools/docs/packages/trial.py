"""A runtime in this process, with real workers, the shipped settings and a folder of packages."""

import hashlib
import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from configuration.environment import Environment
from configuration.variable import read
from local.fetch.command import output, pip
from runtime.executor import Executor
from runtime.front.app import Front
from runtime.languages import LANGUAGES
from runtime.metrics import RuntimeMetrics
from runtime.settings import Settings
from tools.docs.packages.page import Call

#: Milliseconds for a script, the first import of its package included.
TIMEOUT = 30_000


class _Texts(Environment):
    """Only these variables are set: what the environment has would change the limits."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        super().__init__()
        self._texts = texts

    def get(self, name: str) -> str | None:
        return self._texts.get(name)


class Trial:
    """The runtime of one language. It keeps no worker, so each call imports its package anew.

    Args:
        language: `python` or `nodejs`.
        packages: what PACKAGES names.
        state: a folder for the workers' private folders.
        node: the Node.js program.

    Raises:
        UnusableSetting: the program is missing, or this machine cannot confine workers.
    """

    def __init__(self, language: str, packages: Path, state: Path, node: str) -> None:
        self._secret = secrets.token_hex(16)
        texts = {
            "RUNTIME_SECRET": self._secret,
            "STATE_DIR": str(state),
            "NODE": node,
            "PACKAGES": str(packages),
            "WORKERS_RESERVE": "0",
        }
        settings = read(Settings, _Texts(texts))
        self.language = language
        self._packages = packages
        executor = Executor(LANGUAGES[language](settings), settings, RuntimeMetrics(language))
        self._front = Front(language, executor, settings)
        self._libraries = self._asked("/libraries")

    @property
    def program(self) -> str:
        """The version of the language."""
        return str(self._libraries["version"])

    def version(self, package: str) -> str | None:
        """Return the version of an installed package, or None if it is not installed."""
        found = {_plain(each["name"]): each["version"] for each in self._libraries["packages"]}
        version: str | None = found.get(_plain(package))
        return version

    def reason(self, call: Call) -> str:
        """Run a call and return why it does not work, or nothing if it does."""
        status, answer = self._run(call.script)
        if status == 200:
            result = answer["result"]
            return "" if result == call.expected else f"the result is {result!r}"
        details = answer["error"].get("details", {})
        said = [
            details.get("kind", answer["error"]["code"]),
            details.get("type"),
            details.get("message", answer["error"]["message"]),
        ]
        return ": ".join(text for text in said if text).replace(f"{self._packages.resolve()}/", "")

    def close(self) -> None:
        """End the runtime's processes."""
        self._front.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _asked(self, path: str) -> dict[str, Any]:
        answer: dict[str, Any] = (
            self._front.test_client().get(path, headers={"X-Runtime-Secret": self._secret}).get_json()
        )
        return answer

    def _run(self, script: str) -> tuple[int, dict[str, Any]]:
        answer = self._front.test_client().post(
            f"/runtime/{self.language}/package",
            json={
                "tenant": "packages",
                "script_hash": hashlib.sha256(script.encode()).hexdigest(),
                "script_content": script,
                "compile_options": {},
                "params": {},
                "context": {},
                "timeout_ms": TIMEOUT,
                "request_id": "packages",
                "isolation": "execution",
            },
            headers={"X-Runtime-Secret": self._secret},
        )
        return answer.status_code, answer.get_json()


def _plain(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()


#: Ten of the packages, which tests run. Those of Python are among the wheels that `local.fetch.wheels` collects;
#: those of Node.js depend on no others.
SAMPLE = {
    "python": ("attrs", "cryptography", "jinja2", "msgspec", "pyyaml"),
    "nodejs": ("dayjs@1.11.23", "mustache@4.2.0", "semver@7.8.6", "uuid@14.0.3", "yaml@2.9.1"),
}


def install(
    language: str, packages: Sequence[str], folder: Path, *, node: str, wheels: Path | None = None
) -> None:
    """Make a folder that PACKAGES may name, in place of what is there.

    Args:
        language: `python` or `nodejs`.
        packages: their names, with versions or without.
        folder: where they go.
        node: the Node.js program; its npm lies in `lib` beside the program's folder.
        wheels: the only source of Python's packages; None: the index.

    Raises:
        UnavailableError: the installer failed.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if language == "python":
        source = ["--no-index", "--find-links", str(wheels)] if wheels else []
        pip("install", "--only-binary", ":all:", *source, "--target", str(folder), *packages)
    else:
        npm = Path(node).resolve().parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder)]
        output([node, str(npm), "install", *options, *packages], timeout=None, name="npm install")
