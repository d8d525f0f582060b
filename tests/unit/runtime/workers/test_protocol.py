"""The protocol between a worker program and the front."""

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from runtime.frames import Channel
from runtime.workers import protocol
from runtime.workers.protocol import ScriptError, serve


class Doubling(protocol.Program):
    """Doubles `number`; refuses other scripts."""

    def load(self, payload: dict[str, Any]) -> None:
        if payload["source"] != "double":
            raise ScriptError("an unknown script", line=1)

    def run(self, params: dict[str, Any], context: dict[str, Any]) -> bytes:
        if params["number"] < 0:
            raise ScriptError("negative")
        return json.dumps(params["number"] * 2).encode()


class Counting(Doubling):
    """Counts its runs, also those that fail."""

    def __init__(self) -> None:
        self.runs = 0

    def run(self, params: dict[str, Any], context: dict[str, Any]) -> bytes:
        self.runs += 1
        return super().run(params, context)

    def usage(self) -> dict[str, int]:
        return {"runs": self.runs, "coins": 7}


class Front:
    """The front's end of the channel."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def ask(self, **message: Any) -> dict[str, Any]:
        self._channel.send({"id": 1, **message})
        return self._channel.receive()

    def load(self, source: str = "double") -> dict[str, Any]:
        return self.ask(load={"source": source}, result_max_bytes=100)

    def run(self, number: int) -> dict[str, Any]:
        return self.ask(run={"params": {"number": number}, "context": {}})


@pytest.fixture(params=[Doubling, Counting])
def front(request: pytest.FixtureRequest) -> Iterator[Front]:
    ours, theirs = socket.socketpair()
    worker = threading.Thread(target=serve, args=(Channel(theirs, 1 << 20), request.param()))
    worker.start()
    with ours:
        yield Front(Channel(ours, 1 << 20))
    worker.join()
    theirs.close()


def test_a_script_is_loaded_once_and_run_many_times(front: Front) -> None:
    assert front.load() == {"id": 1, "loaded": True}
    assert [front.run(number)["result"] for number in (1, 2)] == [2, 4]


def test_a_script_error_is_an_answer(front: Front) -> None:
    assert front.load("another")["error"]["line"] == 1
    assert front.run(-1)["error"]["message"] == "negative"


@pytest.mark.parametrize("front", [Doubling], indirect=True)
def test_a_program_that_counts_nothing_adds_nothing(front: Front) -> None:
    front.load()
    assert front.run(1) == {"id": 1, "result": 2}


@pytest.mark.parametrize("front", [Counting], indirect=True)
def test_the_answer_has_the_usage_beside_result_or_error(front: Front) -> None:
    assert front.load() == {"id": 1, "loaded": True}
    assert front.run(1) == {"id": 1, "result": 2, "runs": 1, "coins": 7}
    assert front.run(-1).keys() == {"id", "error", "runs", "coins"}
