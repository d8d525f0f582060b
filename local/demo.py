"""Functions in each language, cold, warm and cached, and a new version: `python -m local.demo`, or `make demo`.

Uses the running service; starts one, and ends it afterwards, when there is none.
"""

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
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
    """A function, what to call it with and what it answers. Without a script it is a predefined one."""

    language: str
    title: str
    params: dict[str, Any]
    result: Any
    script: str | None = None

    @property
    def path(self) -> str:
        return f"functions/{self.language}-{self.title}"


EXAMPLES = (
    Example(
        "nodejs",
        "calculator",
        {"operation": "multiply", "a": 6, "b": 7},
        {"operation": "multiply", "a": 6, "b": 7, "value": 42},
    ),
    Example(
        "python",
        "text_processor",
        {"operation": "uppercase", "text": "good morning"},
        {"operation": "uppercase", "value": "GOOD MORNING"},
    ),
    Example(
        "rust",
        "data_validator",
        {"data": {"age": "x"}, "rules": {"age": ["required", "numeric"]}},
        {"valid": False, "errors": [{"field": "age", "rule": "numeric", "message": "age must be numeric"}]},
    ),
    Example(
        "nodejs",
        "reverse",
        {"text": "stressed"},
        "desserts",
        "module.exports = async (event) => [...event.params.text].reverse().join('');\n",
    ),
    Example(
        "python",
        "primes",
        {"below": 30},
        [2, 3, 5, 7, 11, 13, 17, 19, 23, 29],
        "def handle(params):\n"
        "    return [n for n in range(2, params['below']) if all(n % d for d in range(2, n))]\n",
    ),
    Example(
        "rust",
        "sum",
        {"numbers": [1, 2, 3.5]},
        6.5,
        "pub fn handler(context: serde_json::Map<String, serde_json::Value>)"
        " -> Result<serde_json::Value, String> {\n"
        '    let numbers = context["params"]["numbers"].as_array().ok_or("numbers must be a list")?;\n'
        "    Ok(numbers.iter().filter_map(|number| number.as_f64()).sum::<f64>().into())\n"
        "}\n",
    ),
)


#: A faster script of a function above, which answers the same.
FASTER = replace(
    EXAMPLES[4],
    script="def handle(params):\n"
    "    numbers = range(2, params['below'])\n"
    "    return [n for n in numbers if all(n % d for d in range(2, int(n**0.5) + 1))]\n",
)
#: Calls that are split between two versions.
SPLIT = 20


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

    def put(self, example: Example) -> int:
        """Make a version of the function unless it is there, and return its number.

        It is made only if it answers what the example says. Raises requests.HTTPError.
        """
        examples = [{"params": example.params, "result": example.result}]
        body = {"script_content": example.script, "examples": examples, "verify": True}
        version: int = self._send("PUT", example.path, body)["version"]
        return version

    def move(self, example: Example, version: int, canary: int | None = None) -> None:
        """Make the alias `live` name a version, and send half of its calls to another. Raises requests.HTTPError."""
        half = {} if canary is None else {"canary": {"version": canary, "weight": 0.5}}
        self._send("PUT", f"{example.path}/aliases/live", {"version": version, **half})

    def execute(self, example: Example, *, cached: bool) -> tuple[dict[str, Any], float]:
        """The answer by name, and the milliseconds until it was here. Raises requests.HTTPError."""
        headers = {} if cached else {"X-Cache-Control": "no-cache"}
        before = time.perf_counter()
        document = self._send("POST", f"{example.path}/execute", {"params": example.params}, headers)
        return document, (time.perf_counter() - before) * 1000

    def _send(
        self, method: str, path: str, body: dict[str, Any], headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        url = f"{self._address}/api/v1/{path}"
        answer = self._session.request(method, url, json=body, headers=headers, timeout=REQUEST_TIMEOUT)
        answer.raise_for_status()
        document: dict[str, Any] = answer.json()
        return document


def row(client: Client, example: Example) -> str:
    """Run the example three times: cold, which includes making the function, warm, and from the cache."""
    before = time.perf_counter()
    if example.script is not None:
        client.move(example, client.put(example))
    client.execute(example, cached=False)
    cold = (time.perf_counter() - before) * 1000
    _, warm = client.execute(example, cached=False)
    answer, cached = client.execute(example, cached=True)
    times = (f"{milliseconds:.1f}" for milliseconds in (cold, warm, cached))
    return COLUMNS.format(example.language, example.title, *times, json.dumps(answer["result"]))


def renewal(client: Client, example: Example, faster: Example) -> Iterator[str]:
    """Bring callers of the example to a faster version: half of them at first, then all."""
    old, new = client.put(example), client.put(faster)
    name = f"{example.language}-{example.title}"
    yield f"{name}: version {old}, and version {new}, which runs its example before it is made"
    client.move(example, old, canary=new)
    split = Counter(client.execute(example, cached=True)[0]["version"] for _ in range(SPLIT))
    yield f"`live` sends half of the calls to version {new}: of {SPLIT} calls it got {split[new]}"
    client.move(example, new)
    yield f"`live` names version {client.execute(example, cached=True)[0]['version']}; the way back is one call, too"


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
            if FASTER.language in languages:
                print("", *renewal(client, EXAMPLES[4], FASTER), sep="\n")
    except (EnvError, RuntimeError, requests.RequestException) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
