"""Several runtimes of one language: sessions stick, and move when one is killed under load."""

import threading
import time
from collections import Counter
from itertools import count

from tests.acceptance.client import Client
from tests.acceptance.deployment import Deployment
from tests.waiting import until

#: Says which process group of workers ran it, and that it ran: two runtimes never share a fork server.
SCRIPT = "import os\n\ndef handle(params):\n    return [os.getppid(), params['n']]\n"
CLIENTS, USERS, SECONDS = 64, 8, 4


class Load:
    """Clients that execute without a pause, eight to a user's session; every answer is counted."""

    def __init__(self, service: Deployment) -> None:
        self.outcomes: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._next = count()
        users = [service.client() for _ in range(USERS)]
        sessions = [(user, user.begin("python-which", SCRIPT)) for user in users]
        self._threads = [
            threading.Thread(target=self._run, args=(user.again(), request_id))
            for user, request_id in sessions * (CLIENTS // USERS)
        ]
        self._until = time.monotonic() + SECONDS
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _run(self, client: Client, request_id: str) -> None:
        while time.monotonic() < self._until:
            number = next(self._next)  # never twice: no result is a kept one
            answer = client.execute(request_id, {"n": number})
            if answer.status_code == 200:
                self.outcomes["ok"] += 1
                if answer.json()["result"][1] != number:
                    self.wrong.append(answer.text)
            else:
                self.outcomes[answer.json()["error"]["code"]] += 1


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


def test_one_of_two_runtimes_killed_under_load_costs_only_what_it_was_running(
    own_service: Deployment,
) -> None:
    second = own_service.add_python_runtime()
    load = Load(own_service)
    until(lambda: load.outcomes["ok"] > 200, "the load runs")
    second.kill()
    before = load.outcomes["ok"]
    load.join()
    assert load.wrong == []
    # Unavoidable: what the killed one had read. It may have run, so nobody runs it again.
    assert set(load.outcomes) <= {"ok", "RUNTIME_UNAVAILABLE"}
    assert load.outcomes["RUNTIME_UNAVAILABLE"] <= CLIENTS
    assert load.outcomes["ok"] > before + CLIENTS
    health = own_service.client().request("GET", "/health").json()
    assert (health["status"], health["components"]["runtimes"]["python"]) == ("degraded", "degraded")
    second.start()
    until(lambda: own_service.controller.health().get("status") == "ok", "both are well again")
