"""Several runtimes of one language: a session sticks to one, and all are used; test_load.py has one fail."""

from tests.acceptance.deployment import Deployment

#: Says which process group of workers ran it: two runtimes never share a fork server.
SCRIPT = "import os\n\ndef handle(params):\n    return [os.getppid(), params['n']]\n"


def test_sessions_stick_to_a_runtime_and_both_are_used(own_service: Deployment) -> None:
    own_service.add_python_runtime()
    places: list[int] = []
    for _ in range(12):
        client = own_service.client()
        request_id = client.begin("python-which", SCRIPT)
        ran_on = {client.result(request_id, {"n": number})[0] for number in range(5)}
        assert len(ran_on) == 1
        places += ran_on
    assert len(set(places)) == 2
