"""What `make demo` shows."""

import json

import pytest

from local.demo import EXAMPLES, FASTER, SPLIT, Client, Example, renewal, row
from tests.acceptance.client import Client as User
from tests.acceptance.deployment import Deployment


@pytest.fixture
def demo(service: Deployment, client: User) -> Client:
    return Client(service.url, client.token)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example.language}-{example.title}")
def test_a_function_is_shown_with_its_times_and_its_result(demo: Client, example: Example) -> None:
    shown = row(demo, example)
    assert shown.split()[:2] == [example.language, example.title]
    assert json.loads(shown.split(maxsplit=5)[5]) == example.result


def test_a_new_version_gets_half_of_the_calls_and_then_all(demo: Client) -> None:
    made, halved, moved = renewal(demo, EXAMPLES[4], FASTER)
    assert "version 1, and version 2" in made
    assert 0 < int(halved.split()[-1]) < SPLIT
    assert "`live` names version 2" in moved
    # A second demonstration goes on from there.
    assert "version 3, and version 4" in next(renewal(demo, EXAMPLES[4], FASTER))
