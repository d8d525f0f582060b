"""What becomes of a call on its way to a function and back."""

import hashlib
import http.client
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.integration.tools.faas_local.conftest import FUNCTION, Provider, with_and_without_watchdog
from tests.waiting import until

pytestmark = with_and_without_watchdog


@pytest.fixture(scope="module")
def greeter(provider: Provider) -> Iterator[str]:
    """One for all tests here, since none of them changes it."""
    provider.cli("deploy", "-f", f"{FUNCTION}.yml")
    provider.until_available(FUNCTION)
    yield FUNCTION
    provider.cli("remove", "-f", f"{FUNCTION}.yml")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_method_path_query_and_headers_arrive(provider: Provider, greeter: str, method: str) -> None:
    headers = {"X-Probe": "seen", "X-Call-Id": "mine", "Connection": "x-private", "X-Private": "not yours"}
    answer = provider.call(f"{greeter}/some/path?a=1&b=%20", method=method, headers=headers)

    echoed = answer.json()
    assert (echoed["method"], echoed["path"], echoed["query"]) == (method, "/some/path", "a=1&b=%20")
    arrived = echoed["headers"]
    assert (arrived["HTTP_X_PROBE"], arrived["HTTP_X_CALL_ID"]) == ("seen", "mine")
    assert arrived["HTTP_X_FORWARDED_FOR"].startswith("127.0.0.1")
    assert arrived["HTTP_X_FORWARDED_HOST"] == provider.url.removeprefix("http://")
    assert int(arrived["HTTP_X_START_TIME"]) > 0
    assert "HTTP_X_PRIVATE" not in arrived
    assert answer.headers["X-Call-Id"] == "mine"


def test_a_call_without_an_id_gets_one(provider: Provider, greeter: str) -> None:
    answer = provider.call(f"{greeter}.openfaas-fn/echo")

    assert uuid.UUID(answer.headers["X-Call-Id"])
    assert answer.json()["headers"]["HTTP_X_CALL_ID"] == answer.headers["X-Call-Id"]


def test_bodies_arrive_whole_with_a_length_or_in_chunks(provider: Provider, greeter: str) -> None:
    body = bytes(range(256)) * 12_000
    whole = provider.call(f"{greeter}/echo", method="POST", data=body).json()
    chunked = provider.call(f"{greeter}/echo", method="POST", data=iter([body[:7], body[7:]])).json()

    digest = hashlib.sha256(body).hexdigest()
    assert (whole["bytes"], whole["digest"]) == (len(body), digest)
    assert (chunked["bytes"], chunked["digest"]) == (len(body), digest)
    assert provider.call(greeter, method="POST", data=body).content == b"hello, " + body


def test_head_has_no_body_and_leaves_the_connection_usable(provider: Provider, greeter: str) -> None:
    connection = http.client.HTTPConnection(provider.url.removeprefix("http://"), timeout=60)
    for method, body in (("HEAD", b""), ("GET", b"hello, ")):
        connection.request(method, f"/function/{greeter}")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, body)
    connection.close()


def test_an_answer_is_streamed(provider: Provider, greeter: str, gate: Path) -> None:
    headers = {"Accept": "text/event-stream"}
    with provider.call(f"{greeter}/stream?{gate}", stream=True, headers=headers) as answer:
        lines = answer.iter_lines(chunk_size=None)
        assert next(lines) == b"first"
        gate.touch()
        assert list(lines) == [b"second"]


def test_a_client_that_hangs_up_is_noticed_by_the_function(
    provider: Provider, greeter: str, gate: Path
) -> None:
    with pytest.raises(requests.Timeout):
        requests.get(f"{provider.url}/function/{greeter}/wait?{gate}", timeout=1)

    until(gate.with_suffix(".hangup").exists, "the function knows")
    gate.touch()


def test_a_function_that_takes_too_long_is_answered_for(
    state: Path, checkout: Path, faas_cli: Path, watchdog: Path | None, provider: Provider, gate: Path
) -> None:
    provider.stop()
    with Provider(state, checkout, faas_cli, watchdog, timeout=1) as hasty:
        hasty.cli("deploy", "-f", f"{FUNCTION}.yml")
        hasty.until_available(FUNCTION)
        answer = hasty.call(f"{FUNCTION}/wait?{gate}")
        gate.touch()
    provider.start()

    assert (answer.status_code, answer.headers["X-OpenFaaS-Internal"]) == (502, "provider")
    assert "did not answer in 1 s" in answer.text
