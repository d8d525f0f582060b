"""How the template's server, a strict one and gunicorn's handle requests that are not quite valid HTTP."""

import hashlib
import json
import socket
import subprocess
from collections.abc import Iterator

import pytest

from local.fetch.go_programs import GoPrograms, UnavailableError
from tests.conftest import ROOT, missing
from tests.integration.openfaas.http_server import OURS, STOCK, TIMEOUT, answers, everything, serving
from tests.integration.openfaas.request_cases import CANARY, CASES, GO, Different
from tests.integration.openfaas.request_cases import STOCK as OF_STOCK

SOURCES = ROOT / "tests" / "integration" / "openfaas" / "strict_server"
SIZES = {hashlib.sha256(body).hexdigest(): len(body) for body in (b"", b"a", b"abc", b"abcde")}


@pytest.fixture(scope="module")
def go_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Go's HTTP server, kept between runs because compiling it takes a while."""
    folder = (ROOT / ".local" / "openfaas").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        program = GoPrograms(folder).of_main("strict_server", SOURCES)
    except UnavailableError as reason:
        missing("no Go's HTTP server", reason)
    with subprocess.Popen([program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.kill()


@pytest.fixture(scope="module", params=[OURS, STOCK])
def worker_port(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """gunicorn with our worker, and with its own."""
    with serving(tmp_path_factory.mktemp("server") / "log", request.param) as served:
        yield served.port


@pytest.mark.parametrize("case", CASES)
def test_the_worker(worker_port: int, case: str, request: pytest.FixtureRequest) -> None:
    ours = request.node.callspec.params["worker_port"] == OURS
    expected = CASES[case].told if ours else _of(OF_STOCK, case)
    assert _told(worker_port, CASES[case].sent) == expected


@pytest.mark.parametrize("case", CASES)
def test_a_strict_server(go_port: int, case: str) -> None:
    assert _told(go_port, CASES[case].sent) == _of(GO, case)


@pytest.mark.parametrize("differences", [GO, OF_STOCK])
def test_every_documented_difference_exists(differences: dict[str, Different]) -> None:
    assert differences.keys() <= CASES.keys()
    assert [case for case, other in differences.items() if other.told == CASES[case].told] == []


def _of(differences: dict[str, Different], case: str) -> list[str]:
    return differences[case].told if case in differences else CASES[case].told


def _told(port: int, sent: bytes) -> list[str]:
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as client:
        client.sendall(sent + CANARY)
        client.shutdown(socket.SHUT_WR)
        received = everything(client)
    method = sent.split(b" ", 1)[0].decode("latin-1")
    return [_one(status, body) for status, body in answers(received, method)]


def _one(status: int, body: bytes) -> str:
    if status != 200 or not body:
        return str(status)
    document = json.loads(body)
    return f"{document['method']} {document['path']} {SIZES.get(document['digest'], '?')}"
