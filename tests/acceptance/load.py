"""Clients that execute again and again, and an account of every answer they got."""

import os
import threading
import uuid
from collections import Counter
from itertools import count
from typing import Self

import psycopg2
import requests

from tests.acceptance.client import Client
from tests.acceptance.deployment import Deployment
from tests.waiting import until

SCRIPT = "def handle(params):\n    return [params['n'], params['n'] ** 2]\n"
#: In a soak the clients do not pause; otherwise they leave the processor to the parts that start anew.
CLIENTS, USERS, PAUSE = (64, 8, 0.0) if os.environ.get("SOAK") else (16, 4, 0.1)
#: Every other execution asks for one of this many results, which are soon kept; the others ask for a new one.
KNOWN = 20


class Load:
    """A context manager: the clients, several to a user's session, work until it is left."""

    def __init__(self, service: Deployment) -> None:
        self._service = service
        self._mark = f"load-{uuid.uuid4()}"
        self._numbers = count(KNOWN)
        self._over = threading.Event()
        self._marks: set[str] = set()
        self.outcomes: Counter[str] = Counter()
        """Answers by `ok` or the error's code, and what never was answered as `broken`."""
        self.wrong: list[str] = []
        users = [service.client() for _ in range(USERS)]
        sessions = [(user, user.begin("python-square", SCRIPT)) for user in users]
        self._threads = [
            threading.Thread(target=self._work, args=(user.again(), request_id))
            for user, request_id in sessions * (CLIENTS // USERS)
        ]

    def more(self, answers: int) -> None:
        """Wait for this many more good answers."""
        wanted = self.outcomes["ok"] + answers
        until(lambda: self.outcomes["ok"] >= wanted, f"{answers} more answers")

    def logged_once(self) -> None:
        """Whatever was answered has its one row of the log."""
        until(lambda: self._marks <= self._rows().keys(), "every answer is in the log")
        rows = self._rows()
        assert {mark for mark, number in rows.items() if number > 1} == set()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _work(self, client: Client, request_id: str) -> None:
        while not self._over.wait(PAUSE):
            number = next(self._numbers)
            mark = f"{self._mark}-{number}"
            try:
                self._execute(client, request_id, number % KNOWN if number % 2 else number, mark)
            except requests.ConnectionError:
                self.outcomes["broken"] += 1
                until(lambda: self._service.controller.health() != {}, "the controller is back")

    def _execute(self, client: Client, request_id: str, n: int, mark: str) -> None:
        answer = client.execute(request_id, {"n": n}, X_Request_ID=mark)
        self._marks.add(mark)
        if answer.status_code != 200:
            self.outcomes[answer.json()["error"]["code"]] += 1
        elif answer.json()["result"] == [n, n**2]:
            self.outcomes["ok"] += 1
        else:
            self.wrong.append(answer.text)

    def _rows(self) -> dict[str, int]:
        opened = psycopg2.connect(self._service.postgres.url)
        try:
            with opened.cursor() as cursor:
                cursor.execute(
                    "SELECT http_request_id, count(*) FROM request_logs WHERE http_request_id LIKE %s GROUP BY 1",
                    (f"{self._mark}-%",),
                )
                return dict(cursor.fetchall())
        finally:
            opened.close()
