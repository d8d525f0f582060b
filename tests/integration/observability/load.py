"""Load of every kind there is, and the account of it."""

import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import requests

from tests.acceptance.client import Client
from tests.acceptance.deployment import Deployment
from tests.integration.observability.ledger import Ledger
from tests.waiting import until

NAP = "import time\ndef handle(params):\n    time.sleep(params['seconds'])\n    return params['n']\n"
FAILING = "def handle(params):\n    raise ValueError('no')\n"
HUNGRY = "const kept = []; while (true) kept.push(new Array(1e6).fill(1));"
DYING = "import os\ndef handle(params):\n    os._exit(3)\n"
ENDLESS = "def handle(params):\n    while True: pass\n"
SUM = "return event.params.a + event.params.b;"
RUST = """
    use serde_json::{Map, Value};
    pub fn handler(context: Map<String, Value>) -> Result<Value, String> {
        Ok(Value::from(context["params"]["n"].as_i64().unwrap() + %d))
    }
"""
#: Seconds of a run: of most, of one that followers wait for, and of a crowd's: longer than it takes to be scraped.
SLOW, SHARED, LONG = 0.05, 0.7, 4.0
MISSES, HITS, REFRESHES, WAITERS = 8, 6, 4, 3
FAILURES, TIMEOUTS, ISOLATED, NAMED = 4, 4, 3, 2
#: More than the runs of one script at once, WORKERS_PER_SCRIPT_MAX: the others wait for a worker.
CROWD = 11
#: One for each round. Their registry has them.
PACKAGES = ("first", "second")


#: Ends of executions that had come as far as the cache.
LOOKED_UP = {"ok", "runtime_error", "timeout", "runtime_unavailable"}


class Load:
    """Makes rounds of load, each with params and scripts that no round before had."""

    def __init__(self, service: Deployment) -> None:
        self._service = service
        self._rounds = 0
        self.client: Client = service.client()
        self.ledger = Ledger()

    def round(self) -> Ledger:
        """All kinds of load; answers the account of this round."""
        self._rounds += 1
        self.ledger = Ledger()
        self._python()
        self._errors()
        self._kills()
        self._nodejs()
        self._rust()
        self._by_name()
        self._packages()
        self._rest()
        return self.ledger

    def begin(self, name: str, script: str, language: str = "python", **context: object) -> str:
        answer = self.ledger.count(
            "initialize",
            language,
            "ok",
            lambda: self.client.initialize(f"{language}-{name}", script, **context),
        )
        self.ledger.sessions[language] += 1
        document: dict[str, str] = answer.json()
        return document["request_id"]

    def execute(
        self,
        request_id: str,
        params: dict[str, object],
        source: str = "miss",
        code: str = "ok",
        language: str = "python",
        client: Client | None = None,
        **headers: str,
    ) -> None:
        """An execution whose answer comes from `source`."""
        caller = client or self.client
        answer = self.ledger.count(
            "execute", language, code, lambda: caller.execute(request_id, params, **headers)
        )
        if code in LOOKED_UP:
            self.ledger.lookups[source] += 1
        if code == "ok":
            assert answer.json()["cached"] is (source in {"hit", "coalesced"}), source

    def _python(self) -> None:
        session = self.begin("nap", NAP)
        for number in range(MISSES):
            self.execute(session, self._nap(SLOW, number))
        for number in range(HITS):
            self.execute(session, self._nap(SLOW, number), "hit")
        for number in range(REFRESHES):
            self.execute(session, self._nap(SLOW, number), "refresh", X_Cache_Control="no-cache")
        before = self._near_hits()
        until(lambda: self._repeats(session) and self._near_hits() > before, "a hit makes no trip to Redis")
        self._followers(session)
        self._crowd(session)

    def _repeats(self, session: str) -> bool:
        """Hits of one result, close enough for the copy of results to be known as right."""

        def work(client: Client) -> None:
            for _ in range(HITS):
                self.execute(session, self._nap(SLOW, 0), "hit", client=client)

        with ThreadPoolExecutor() as threads:
            for call in [threads.submit(work, self.client.again()) for _ in range(WAITERS)]:
                call.result()
        return True

    def _near_hits(self) -> float:
        text = self.ledger.count("health", "none", "ok", lambda: self.client.request("GET", "/metrics")).text
        (line,) = re.findall(r"^lambda_near_hits_total (.+)$", text, re.MULTILINE)
        return float(line)

    def _followers(self, session: str) -> None:
        """A leader runs, and its followers wait for the result."""
        params = self._nap(SHARED, -1)
        with ThreadPoolExecutor() as threads:
            first = threads.submit(self.execute, session, params, client=self.client.again())
            until(lambda: self._busy("python") == 1, "the leader runs")
            followers = [
                threads.submit(self.execute, session, params, "coalesced", client=self.client.again())
                for _ in range(WAITERS)
            ]
            for call in (first, *followers):
                call.result()

    def _crowd(self, session: str) -> None:
        with ThreadPoolExecutor(CROWD) as threads:
            calls = [
                threads.submit(
                    self.execute, session, self._nap(LONG, 100 + number), client=self.client.again()
                )
                for number in range(CROWD)
            ]
            for call in calls:
                call.result()

    def _errors(self) -> None:
        client, ledger = self.client, self.ledger
        failing = self.begin("failing", FAILING)
        for number in range(FAILURES):
            self.execute(failing, {"n": number}, code="runtime_error")
        for _ in range(FAILURES):
            self.execute(str(uuid.uuid4()), {}, code="not_found", language="none")
            ledger.count("execute", "none", "invalid_request", lambda: self._malformed(failing))
            ledger.count(
                "initialize",
                "python",
                "initialization_error",
                lambda: client.initialize("python-broken", "def handle(:"),
            )
        stranger = Client(client.url, "not the secret that tokens are signed with", "stranger")
        ledger.count(
            "functions", "none", "unauthorized", lambda: stranger.request("GET", "/api/v1/functions")
        )
        self.execute(failing, {}, code="forbidden", client=client.speaking_for(client.sub, "execute:rust"))

    def _kills(self) -> None:
        slow = self.begin("slow", NAP, timeout_ms=200)
        for number in range(TIMEOUTS):
            self.execute(slow, self._nap(5, number), code="timeout")
            self.ledger.kills["python", "timeout"] += 1
        for language, script, verdict in (("nodejs", HUNGRY, "memory_limit"), ("python", DYING, "crashed")):
            self.execute(self.begin("fatal", script, language), {}, code="runtime_error", language=language)
            self.ledger.kills[language, verdict] += 1
        self._hang_up(self.begin("endless", ENDLESS))

    def _hang_up(self, session: str) -> None:
        with pytest.raises(requests.ReadTimeout):
            self.client.request("POST", f"/api/v1/execute/{session}", json={"params": {}}, timeout=(5, 0.5))
        until(lambda: self._busy("python") == 0, "the abandoned worker is gone")
        self.ledger.requests["execute", "python", "client_gone"] += 1
        self.ledger.kills["python", "client_gone"] += 1

    def _nodejs(self) -> None:
        session = self.begin("sum", SUM, "nodejs")
        isolated = self.begin("sum", SUM, "nodejs", isolation="execution")
        for number in range(MISSES):
            self.execute(session, {"a": self._rounds, "b": number}, language="nodejs")
        for number in range(ISOLATED):
            self.execute(isolated, {"a": self._rounds, "b": -1 - number}, language="nodejs")

    def _rust(self) -> None:
        script = RUST % self._rounds
        session = self.begin("plus", script, "rust")
        self.begin("plus", script, "rust")
        self.ledger.artifacts["rust", "compiler"] += 1
        self.ledger.artifacts["rust", "cache"] += 1
        for number in range(MISSES):
            self.execute(session, {"n": number}, language="rust")

    def _packages(self) -> None:
        """One function has new packages, another one the same."""
        for title in ("packed", "packed-too"):
            self.begin(title, "result = 1", packages=[PACKAGES[self._rounds - 1]])

    def _by_name(self) -> None:
        """Each kind of reference. Every round makes its own versions, so it begins its own sessions."""
        for part in ("old", "new"):
            self.begin("named", f"# {part}\n{NAP}")
        newest = 2 * self._rounds
        for alias, target in (
            ("live", {"version": newest - 1}),
            ("tried", {"version": newest - 1, "canary": {"version": newest, "weight": 1}}),
        ):
            path = f"/api/v1/functions/python-named/aliases/{alias}"
            self.ledger.count(
                "functions", "none", "ok", partial(self.client.request, "PUT", path, json=target)
            )
        for ref, kind, side in (
            ("", "live", "main"),
            (f"@{newest}", "version", "main"),
            ("@live", "alias", "main"),
            ("@tried", "alias", "canary"),
        ):
            self._named(f"python-named{ref}", kind, side)
        self.begin("bare", f"# {self._rounds}\n{NAP}")
        self._named("python-bare", "newest", "main")
        # Behind the two versions and the function without an alias.
        self.ledger.sessions["python"] += 3

    def _named(self, reference: str, kind: str, side: str) -> None:
        path = f"/api/v1/functions/{reference}/execute"
        for number in range(NAMED):
            body = {"params": self._nap(0, number) | {"reference": reference}}
            self.ledger.count(
                "execute", "python", "ok", partial(self.client.request, "POST", path, json=body)
            )
            self.ledger.lookups["miss"] += 1
            self.ledger.references[kind, side] += 1

    def _rest(self) -> None:
        client, ledger = self.client, self.ledger
        session = self.begin("ended", NAP)
        for _ in range(HITS):
            ledger.count("sessions", "none", "ok", lambda: client.session(session))
            ledger.count("functions", "none", "ok", lambda: client.request("GET", "/api/v1/functions"))
            ledger.count("health", "none", "ok", lambda: client.request("GET", "/health"))
        ledger.count(
            "sessions", "none", "ok", lambda: client.request("DELETE", f"/api/v1/sessions/{session}")
        )

    def _nap(self, seconds: float, number: int) -> dict[str, object]:
        return {"seconds": seconds, "n": number, "round": self._rounds}

    def _malformed(self, session: str) -> requests.Response:
        headers = {"Content-Type": "application/json"}
        return self.client.request("POST", f"/api/v1/execute/{session}", data="{", headers=headers)

    def _busy(self, language: str) -> int:
        workers = self._service.runtimes[language].health()["workers"]
        assert isinstance(workers, dict)
        return int(workers["busy"])
