"""The id of a call beside its path: in the query or in a header, for callers that know no sub-path."""

import pytest

from tests.acceptance.client import Client, error_of

SCRIPT = "def handle(params):\n    return params['n'] + 1\n"
SESSION_HEADER, FUNCTION_HEADER = "X-Session-ID", "X-Function-Title"


def test_a_session_is_executed_described_and_ended_without_a_path(client: Client) -> None:
    request_id = client.begin("python-addressed", SCRIPT)
    query, header = {"request_id": request_id}, {SESSION_HEADER: request_id}

    by_query = client.request("POST", "/api/v1/execute", params=query, json={"params": {"n": 1}})
    by_header = client.request("POST", "/api/v1/execute", headers=header, json={"params": {"n": 2}})
    seen = client.request("GET", "/api/v1/sessions", params=query).json()
    ended = client.request("DELETE", "/api/v1/sessions", headers=header)

    assert (by_query.json()["result"], by_header.json()["result"]) == (2, 3)
    assert (seen["request_id"], ended.status_code) == (request_id, 204)
    assert client.session(request_id).status_code == 404


def test_a_function_is_described_without_a_path_and_the_list_stays_the_list(client: Client) -> None:
    client.begin("python-addressed", SCRIPT)

    for call in (
        {"params": {"language_title": "python-addressed"}},
        {"headers": {FUNCTION_HEADER: "python-addressed"}},
    ):
        assert (
            client.request("GET", "/api/v1/functions", **call).json()["language_title"] == "python-addressed"
        )
    listed = client.request("GET", "/api/v1/functions", headers={"Language-Title": "python-addressed"})
    assert "functions" in listed.json()


@pytest.mark.parametrize("given", ["no-such-session", "a/b", "%00", "é", "x" * 65])
def test_an_id_that_is_none_is_not_found(client: Client, given: str) -> None:
    answer = client.request("GET", "/api/v1/sessions", params={"request_id": given})

    assert answer.status_code == 404
    error_of(answer, "NOT_FOUND")


def test_the_path_goes_before_the_query_and_the_query_before_the_header(client: Client) -> None:
    first, second = (client.begin("python-addressed", SCRIPT) for _ in range(2))

    by_path = client.request("GET", f"/api/v1/sessions/{first}", params={"request_id": second})
    by_query = client.request(
        "GET", "/api/v1/sessions", params={"request_id": first}, headers={SESSION_HEADER: second}
    )

    assert by_path.json()["request_id"] == by_query.json()["request_id"] == first
