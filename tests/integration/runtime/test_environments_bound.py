"""Environments under a small bound, and when the runtime is killed while parts arrive."""

import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from gevent.pool import Pool

from runtime.settings import Settings
from tests.environments import Environment, environment
from tests.integration.runtime.interpreted.served import HEADERS, SECRET, Server
from tests.integration.runtime.served import ServedRuntime, document

#: What an environment of `numbered` takes: its bytes, and a block for each of file and folder.
SIZE = 20_000 + 2 * 4096
#: How many there is room for: few more than workers, each of which uses one.
ROOM = 20
WORKERS = 16
SCRIPT = "import numbered\ndef handle(params):\n    return numbered.VALUE\n"


def numbered(number: int) -> Environment:
    text = f"VALUE = {number}\n"
    return environment({"numbered.py": text + "#" * (20_000 - len(text))})


@pytest.fixture(scope="module")
def small(runtime_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedRuntime]:
    """Python with room for a few environments."""
    settings = replace(
        runtime_settings,
        state=tmp_path_factory.mktemp("small"),
        environments_max_bytes=ROOM * SIZE,
        workers_max=WORKERS,
        queue_timeout=60_000,
    )
    with ServedRuntime("python", settings) as runtime:
        yield runtime


def sent_and_run(runtime: ServedRuntime, sent: Environment, script: str = SCRIPT, **more: Any) -> Any:
    """Run a script as the controller does: send what the runtime lacks, and repeat. Return its result."""
    while True:
        answer = runtime.run(script, environment=sent.digest, **more)
        if answer.status_code == 200:
            return document(answer)["result"]
        error = document(answer)["error"]
        assert error["code"] == "ENVIRONMENT_NEEDED", error
        for number in error["details"]["missing"]:
            taken = runtime.put(sent.digest, number, sent.parts[number])
            # It has been removed for others before it was whole.
            assert taken.status_code in (204, 409), taken.get_data()
            if taken.status_code == 409:
                break


def bytes_kept(runtime: ServedRuntime) -> float:
    metric = "lambda_runtime_environment_bytes"
    found = runtime.executor.metrics.registry.get_sample_value(metric, {"language": "python"})
    assert found is not None
    return found


def bytes_on_disk(runtime: ServedRuntime) -> int:
    """Return the bytes of files, and a block for each of file and folder, as the runtime counts."""
    [store] = runtime.settings.state.glob("environments-*/kept")
    store.chmod(0o700)
    folders = [*store.iterdir()]
    store.chmod(0o300)
    files = [file for folder in folders for file in folder.iterdir()]
    return sum(file.stat().st_size for file in files) + 4096 * (len(files) + len(folders))


def test_more_environments_than_there_is_room_for_pass_through(small: ServedRuntime) -> None:
    callers = Pool(WORKERS)
    numbers = [number % 60 for number in range(80)]
    done = callers.map(lambda number: sent_and_run(small, numbered(number), tenant=f"t{number % 3}"), numbers)
    assert done == numbers
    assert bytes_kept(small) <= ROOM * SIZE
    assert bytes_on_disk(small) == bytes_kept(small)


def test_nothing_is_left_of_a_runtime_that_was_killed_while_parts_came(tmp_path: Path) -> None:
    sent = environment({"numbered.py": "VALUE = 7\n", "random": os.urandom(6 << 20)})
    with Server("python", tmp_path, {}) as server:
        assert put(server, sent, 0).status_code == 204
        with socket.create_connection(server.endpoint) as sending:
            head = f"PUT {path(sent, 1)} HTTP/1.1\r\nHost: test\r\nX-Runtime-Secret: {SECRET}\r\n"
            half = sent.parts[1][: len(sent.parts[1]) // 2]
            sending.sendall(f"{head}Content-Length: {len(sent.parts[1])}\r\n\r\n".encode() + half)
            assert put(server, sent, 2).status_code == 204
            killed = [*tmp_path.glob("environments-*")]
            server.kill()
            server.wait()
    with Server("python", tmp_path, {}) as server:
        assert not any(folder.exists() for folder in killed)
        needed = server.fresh(SCRIPT, environment=sent.digest).json()["error"]
        assert (needed["code"], needed["details"]) == ("ENVIRONMENT_NEEDED", {"missing": [0]})
        for number in range(len(sent.parts)):
            assert put(server, sent, number).status_code == 204
        assert server.fresh(SCRIPT, environment=sent.digest).json()["result"] == 7
    assert not list(tmp_path.glob("environments-*"))


def path(sent: Environment, number: int) -> str:
    return f"/runtime/python/environments/{sent.digest}/{number}"


def put(server: Server, sent: Environment, number: int) -> requests.Response:
    return requests.put(server.address + path(sent, number), sent.parts[number], headers=HEADERS, timeout=60)
