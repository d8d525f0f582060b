"""Both Python clients on a server that behaves badly, and on several at the same time."""

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from lambda_ms import AsyncClient, Client, LambdaError, Retries, RuntimeUnavailable, Unreachable, calls
from lambda_ms.call import Call

#: Answers a request; None: hangs up.
Behaviour = Callable[["Server", bytes], tuple[int, dict[str, str], object] | None]
Send = Callable[[str, "Call[Any]"], Any]
RESULT = {"request_id": "i", "language_title": "python-x", "execution_time": 1, "cached": False, "result": 1}
AWAY = {"error": {"code": "RUNTIME_UNAVAILABLE", "message": "away", "details": {}}}


class Server:
    """Counts requests and connections, and answers as a test wants."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.connections: set[tuple[str, int]] = set()
        self.behaviour: Behaviour = lambda *_: (200, {}, RESULT)
        self.lock = threading.Lock()
        self.now = self.most = 0
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _handler(server) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler's
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with server.lock:
                    server.requests.append(f"{self.command} {self.path}")
                    server.connections.add(self.client_address)
                    server.now += 1
                    server.most = max(server.most, server.now)
                answer = server.behaviour(server, body)
                with server.lock:
                    server.now -= 1
                if answer is None:
                    self.close_connection = True
                    return
                status, headers, document = answer
                content = json.dumps(document).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def _waiting(url: str, call: "Call[Any]") -> Any:
    with Client(url, retries=Retries(attempts=2)) as client:
        return client.send(call)


def _async(url: str, call: "Call[Any]") -> Any:
    async def sent() -> Any:
        async with AsyncClient(url, retries=Retries(attempts=2)) as client:
            return await client.send(call)

    return asyncio.run(sent())


def _mapped(url: str, items: int, concurrency: int) -> list[Any]:
    with Client(url) as client:
        return [
            each.result for each in client.map("f", ({"n": n} for n in range(items)), concurrency=concurrency)
        ]


def _async_mapped(url: str, items: int, concurrency: int) -> list[Any]:
    async def mapped() -> list[Any]:
        async with AsyncClient(url) as client:
            answers = client.map("f", ({"n": n} for n in range(items)), concurrency=concurrency)
            return [each.result async for each in answers]

    return asyncio.run(mapped())


both = pytest.mark.parametrize("send", [_waiting, _async])
both_maps = pytest.mark.parametrize("mapped", [_mapped, _async_mapped])


@both
def test_a_refused_connection_is_known_as_unsent(send: Send) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(Unreachable, match="cannot connect to http") as raised:
            send(f"http://127.0.0.1:{taken.getsockname()[1]}", calls.run("f"))
    assert not raised.value.sent


@both
@pytest.mark.parametrize(("call", "tries"), [(calls.run("f"), 1), (calls.run("f", key="k"), 2)])
def test_a_lost_connection_is_tried_again_only_with_a_key(
    server: Server, send: Send, call: "Call[Any]", tries: int
) -> None:
    server.behaviour = lambda *_: None

    with pytest.raises(Unreachable) as raised:
        send(server.url, call)

    assert raised.value.sent
    assert len(server.requests) == tries


@both
def test_a_refusal_that_passes_is_not_seen(server: Server, send: Send) -> None:
    refusals = iter([(503, {"Retry-After": "0"}, AWAY)])
    server.behaviour = lambda *_: next(refusals, (200, {}, RESULT))

    assert send(server.url, calls.run("f", key="k")).result == 1
    assert server.requests == ["POST /api/v1/functions/f/execute"] * 2


@both
def test_a_refusal_that_stays_is_raised(server: Server, send: Send) -> None:
    server.behaviour = lambda *_: (503, {"Retry-After": "0"}, AWAY)

    with pytest.raises(RuntimeUnavailable, match="away"):
        send(server.url, calls.run("f", key="k"))


@both
@pytest.mark.parametrize(("status", "document"), [(200, ["no answer of ours"]), (302, {}), (404, "<html>")])
def test_another_program_is_not_taken_for_the_service(
    server: Server, send: Send, status: int, document: object
) -> None:
    server.behaviour = lambda *_: (status, {"Location": "/elsewhere"}, document)

    with pytest.raises(LambdaError, match="not"):
        send(server.url, calls.session("i"))
    assert len(server.requests) == 1


@both
def test_a_service_may_have_a_path(server: Server, send: Send) -> None:
    send(f"{server.url}/function/", calls.execute("i"))

    assert server.requests == ["POST /function/api/v1/execute/i"]


@both_maps
def test_a_map_keeps_the_order_the_bound_and_the_connections(
    server: Server, mapped: Callable[[str, int, int], list[int]]
) -> None:
    meeting = threading.Barrier(4)  # breaks, and the test with it, unless four calls run at the same time

    def answer(server: Server, body: bytes) -> tuple[int, dict[str, str], object]:
        meeting.wait(60)
        return 200, {}, RESULT | {"result": json.loads(body)["params"]["n"]}

    server.behaviour = answer

    assert mapped(server.url, 40, 4) == list(range(40))
    assert server.most == 4
    assert len(server.connections) == 4
