"""A session in each language, cold, warm and cached: `python -m local.demo`, or `make demo`.

Uses the running service; starts one, and ends it afterwards, when there is none.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from environs import EnvError

from local.settings import Settings
from local.state import ROOT, State
from local.supervisor.proc import wait_until
from local.token import token

#: Seconds for a start that may have to fetch a compiler, and for one request.
START_TIMEOUT = 1200
REQUEST_TIMEOUT = 120
COLUMNS = "{:<9} {:<16} {:>9} {:>9} {:>9}  {}"


@dataclass(frozen=True)
class Example:
    """A function and what to call it with; without a script the registered one is meant."""

    language: str
    title: str
    params: dict[str, Any]
    script: str | None = None


EXAMPLES = (
    Example("nodejs", "calculator", {"operation": "multiply", "a": 6, "b": 7}),
    Example("python", "text_processor", {"operation": "uppercase", "text": "good morning"}),
    Example("rust", "data_validator", {"data": {"age": "x"}, "rules": {"age": ["required", "numeric"]}}),
    Example(
        "nodejs",
        "reverse",
        {"text": "stressed"},
        "module.exports = async (event) => [...event.params.text].reverse().join('');\n",
    ),
    Example(
        "python",
        "primes",
        {"below": 30},
        "def handle(params):\n"
        "    return [n for n in range(2, params['below']) if all(n % d for d in range(2, n))]\n",
    ),
    Example(
        "rust",
        "sum",
        {"numbers": [1, 2, 3.5]},
        "pub fn handler(context: serde_json::Map<String, serde_json::Value>)"
        " -> Result<serde_json::Value, String> {\n"
        '    let numbers = context["params"]["numbers"].as_array().ok_or("numbers must be a list")?;\n'
        "    Ok(numbers.iter().filter_map(|number| number.as_f64()).sum::<f64>().into())\n"
        "}\n",
    ),
)


class Client:
    """Calls the service, and says what a call took."""

    def __init__(self, address: str, bearer: str) -> None:
        self._address = address
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {bearer}"

    def languages(self) -> list[str]:
        """Those that are served; none when there is no service. Never raises for that."""
        try:
            answer = self._session.get(f"{self._address}/health", timeout=REQUEST_TIMEOUT)
            runtimes: dict[str, str] = answer.json()["components"]["runtimes"]
        except (requests.RequestException, LookupError):
            return []
        return [language for language, state in runtimes.items() if state == "ok"]

    def initialize(self, example: Example) -> str:
        """Open a session and return its request_id. Raises requests.HTTPError."""
        body = {} if example.script is None else {"script_content": example.script}
        headers = {"Language-Title": f"{example.language}-{example.title}"}
        document, _ = self._post("initialize", body, headers)
        request_id: str = document["request_id"]
        return request_id

    def execute(self, request_id: str, params: dict[str, Any], cached: bool) -> tuple[Any, float]:
        """The result, and the milliseconds until it was here. Raises requests.HTTPError."""
        headers = {} if cached else {"X-Cache-Control": "no-cache"}
        document, elapsed = self._post(f"execute/{request_id}", {"params": params}, headers)
        return document["result"], elapsed

    def _post(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> tuple[dict[str, Any], float]:
        before = time.perf_counter()
        url = f"{self._address}/api/v1/{path}"
        answer = self._session.post(url, json=body, headers=headers, timeout=REQUEST_TIMEOUT)
        elapsed = (time.perf_counter() - before) * 1000
        answer.raise_for_status()
        return answer.json(), elapsed


def row(client: Client, example: Example) -> str:
    """Run the example three times: cold, which includes opening its session, warm, and from the cache."""
    before = time.perf_counter()
    request_id = client.initialize(example)
    client.execute(request_id, example.params, cached=False)
    cold = (time.perf_counter() - before) * 1000
    _, warm = client.execute(request_id, example.params, cached=False)
    result, cached = client.execute(request_id, example.params, cached=True)
    times = (f"{milliseconds:.1f}" for milliseconds in (cold, warm, cached))
    return COLUMNS.format(example.language, example.title, *times, json.dumps(result))


@contextmanager
def service(client: Client, log: Path) -> Iterator[None]:
    """The running service, or one that runs as long as the context. Raises RuntimeError when it does not start."""
    if client.languages():
        yield
        return
    print("starting the service; it ends with the demonstration", flush=True)
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "local.run"], cwd=ROOT, stdout=output, stderr=output
        )
    try:
        wait_until(lambda: bool(client.languages()) or process.poll() is not None, START_TIMEOUT)
        if process.poll() is not None:
            raise RuntimeError(log.read_text().strip())
        yield
    finally:
        process.terminate()
        process.wait()


def main() -> int:
    argparse.ArgumentParser(prog="python -m local.demo", description=__doc__).parse_args()
    state = State(ROOT / ".local")
    try:
        client = Client(
            Settings.from_environment(ROOT / ".env").address, token(state.secret("JWT_SECRET"), "demo")
        )
        with service(client, state.log("demo")):
            languages = client.languages()
            print(COLUMNS.format("language", "title", "cold ms", "warm ms", "cached ms", "result"))
            for example in EXAMPLES:
                print(
                    row(client, example) if example.language in languages else f"{example.language}: absent"
                )
    except (EnvError, RuntimeError, requests.RequestException) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
