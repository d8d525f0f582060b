"""Secrets in headers, params, context, results, output, errors and refused requests: where they may be, where never.

Two kinds are planted. A `keyed` one can be told by its key or its form, as the masker does, and must not be in any
log. A `plain` one cannot: it may be where calls are kept word for word, which is request_logs and error_logs alone.
"""

import secrets
from collections.abc import Mapping
from typing import Any

import psycopg2
import pytest
import redis
import requests

from controller.observability.masking import MASK_KEYS
from local.services import METRICS, RUNTIMES
from tests.acceptance.deployment import Deployment
from tests.integration.observability.collector import Collector
from tests.integration.observability.log_lines import parts
from tests.waiting import until

WORDS = ("request_logs", "error_logs")
"""The tables that keep calls word for word, but for what is masked."""


class Planted:
    """Secrets, each one of its own, by where it was put."""

    def __init__(self) -> None:
        self.keyed: dict[str, str] = {}
        self.plain: dict[str, str] = {}

    def key(self, place: str) -> str:
        """One that its key or its form gives away."""
        return self.keyed.setdefault(place, f"keyed{secrets.token_hex(8)}")

    def bare(self, place: str) -> str:
        """One that nothing gives away."""
        return self.plain.setdefault(place, f"plain{secrets.token_hex(8)}")

    def document(self, place: str) -> dict[str, Any]:
        """A secret under every name that is masked, in several spellings, and one under a name that says nothing."""
        flat: dict[str, Any] = {name: self.key(f"{place} {name}") for name in MASK_KEYS}
        spelled = {
            "X-Api-Key": self.key(f"{place} header"),
            "privateKey": self.key(f"{place} camel"),
            "tokens": [self.key(f"{place} list")],
            "deep": [{"er": {"db_password": self.key(f"{place} deep")}}],
            "text": f"call me with password={self.key(f'{place} text')} please",
            "url": f"postgres://me:{self.key(f'{place} url')}@db/x",
            "header": f"Bearer {self.key(f'{place} bearer')}",
        }
        return {**flat, **spelled, "note": self.bare(f"{place} note")}


def scripts(planted: Planted) -> dict[str, str]:
    """Scripts that answer, print and raise secrets, in each language."""
    said, err, given, note, raised, bare = (
        planted.key("stdout"),
        planted.key("stderr"),
        planted.key("result"),
        planted.bare("result"),
        planted.key("exception"),
        planted.bare("exception"),
    )
    hidden = planted.bare("script")
    return {
        "python": f"""
import sys, time
hidden = "{hidden}"
def handle(params):
    print("token={said}")
    print("Authorization: Basic {err}", file=sys.stderr)
    if params.get("how") == "raise":
        raise ValueError("password: {raised}, {bare}")
    if params.get("how") == "loop":
        time.sleep(60)
    if params.get("how") == "crash":
        import os
        sys.stderr.flush()
        os._exit(3)
    return {{"api_key": "{given}", "note": "{note}"}}
""",
        "nodejs": f"""
module.exports = async ({{ params }}) => {{
  console.log('token={said}');
  console.error('Authorization: Basic {err}');
  if (params.how === 'raise') throw new Error('password: {raised}, {bare}');
  return {{ api_key: '{given}', note: '{note}' }};
}};
""",
        "rust": f"""
use serde_json::{{json, Map, Value}};
pub fn handler(context: Map<String, Value>) -> Result<Value, String> {{
    println!("token={said}");
    eprintln!("Authorization: Basic {err}");
    if context["params"]["how"] == "raise" {{
        return Err("password: {raised}, {bare}".into());
    }}
    Ok(json!({{"api_key": "{given}", "note": "{note}"}}))
}}
""",
    }


def unparsable(planted: Planted) -> dict[str, str]:
    """Scripts that do not parse or compile, at a line that has a secret."""
    return {
        "python": f"def handle(params):\n    password = '{planted.key('python source')}' oops\n",
        "nodejs": f"const password = '{planted.key('nodejs source')}' oops;\n",
        "rust": f'pub fn handler() {{ let password: i32 = "{planted.key("rust source")}"; }}\n',
    }


class Plot:
    """Plants and calls; `ids` are of those calls that come as far as the log."""

    def __init__(self, deployment: Deployment) -> None:
        self.planted = Planted()
        self.client = deployment.client()
        self.ids: list[str] = []
        for language, script in scripts(self.planted).items():
            self._run(language, script)
        for language, script in unparsable(self.planted).items():
            self._refused(self.client.initialize(f"{language}-bad", script), 400)
        self._ask_wrongly(deployment)
        for part in deployment.runtimes.values():
            self._ask_runtime(f"http://127.0.0.1:{part.port}")

    def _run(self, language: str, script: str) -> None:
        context = self.planted.document(f"{language} context")
        session = self.client.begin(f"{language}-plot", script, timeout_ms=1000, **context)
        params = self.planted.document(f"{language} params")
        kinds = ["fine", "fine", "raise"] + (["loop", "crash"] if language == "python" else [])
        statuses = [self._execute(session, {**params, "how": how}).status_code for how in kinds]
        assert statuses == [200, 200, 500, 504, 500][: len(kinds)]

    def _execute(self, session: str, params: Mapping[str, Any]) -> requests.Response:
        answer = self.client.execute(
            session,
            dict(params),
            X_Call_Id=f"token={self.planted.key('call id')}",
            X_Api_Key=self.planted.bare("header"),
            Cookie=f"session={self.planted.bare('cookie')}",
            Idempotency_Key=self.planted.bare("idempotency key") + f"-{len(self.ids)}",
        )
        self.ids.append(answer.headers["X-Request-ID"])
        return answer

    def _ask_wrongly(self, deployment: Deployment) -> None:
        planted, client = self.planted, self.client
        session = client.begin("python-plot", "def handle(params):\n    return 1\n")
        path = f"/api/v1/execute/{session}"
        bearer = {"Authorization": f"Bearer {planted.bare('wrong token')}"}
        self._refused(client.request("POST", path, json={}, headers=bearer), 401)
        basic = {"Authorization": f"Basic {planted.bare('basic token')}"}
        self._refused(client.request("POST", path, json={}, headers=basic), 401)
        cut = f'{{"params": {{"password": "{planted.bare("body cut short")}'
        json_type = {"Content-Type": "application/json"}
        self._refused(client.request("POST", path, data=cut, headers=json_type), 400)
        self._refused(client.request("POST", path, data=planted.bare("plain body")), 415)
        self._refused(client.request("POST", path, json={"params": planted.bare("params")}), 400)
        self._refused(client.request("POST", path, json={planted.bare("unknown field"): 1}), 400)
        query = f"?access_token={planted.bare('query')}"
        self._refused(client.request("POST", path + "-no" + query, json={}), 404)
        self._refused(client.request("GET", f"/api/v1/functions?language={planted.bare('filter')}"), 200)
        self._refused(client.request("GET", f"/token={planted.key('path')}/x"), 404)
        self._refused(client.request("GET", "/metrics" + query), 200)
        schema = client.begin("python-text_processor")
        self._refused(client.execute(schema, {"text": planted.document("schema")}), 400)

    def _ask_runtime(self, url: str) -> None:
        headers = {"X-Runtime-Secret": self.planted.bare("runtime secret")}
        path = f"/runtime/x/{self.planted.bare('runtime path')}/y?token={self.planted.bare('runtime query')}"
        for asked in ("/isolation", path):
            answer = requests.post(
                url + asked, json={"a": self.planted.bare("a")}, headers=headers, timeout=60
            )
            assert answer.status_code in (404, 405)
        assert requests.get(url + "/isolation", headers=headers, timeout=60).status_code == 401

    def _refused(self, answer: requests.Response, status: int) -> None:
        assert answer.status_code == status, answer.text


@pytest.fixture(scope="module")
def plot(traced: Deployment) -> Plot:
    made = Plot(traced)
    written = "SELECT count(*) FROM request_logs WHERE http_request_id = ANY(%s)"
    until(lambda: rows(traced, written, made.ids)[0][0] == len(made.ids), "the calls are in the log")
    return made


def rows(traced: Deployment, query: str, *parameters: Any) -> list[Any]:
    with psycopg2.connect(traced.postgres.url) as opened, opened.cursor() as cursor:
        cursor.execute(query, parameters)
        return cursor.fetchall()


def relations(traced: Deployment) -> dict[str, str]:
    """All columns of all rows of both logs and of whatever there is of statistics, by their relations' names."""
    names = [
        name
        for (name,) in rows(
            traced,
            """SELECT oid::regclass::text FROM pg_class
               WHERE relkind IN ('r', 'p', 'v', 'm')
               AND (relnamespace = 'analytics'::regnamespace OR oid IN (%s::regclass, %s::regclass))""",
            *WORDS,
        )
    ]
    assert len(names) > len(WORDS) + 5
    return {
        name: "\n".join(row for (row,) in rows(traced, f"SELECT each::text FROM {name} AS each"))
        for name in names
    }


def found(secrets_: Mapping[str, str], text: str) -> set[str]:
    """The places whose secret is in the text."""
    return {place for place, secret in secrets_.items() if secret in text}


def test_the_log_lines_have_none(traced: Deployment, plot: Plot) -> None:
    for part, log in parts(traced).items():
        text = log.read_text()
        assert "lambda.access" in text, part
        assert found(plot.planted.keyed | plot.planted.plain, text) == set(), part


def test_the_metrics_have_none(traced: Deployment, plot: Plot) -> None:
    for variable in ("PORT", *METRICS.values()):
        text = requests.get(f"http://127.0.0.1:{traced.ports[variable]}/metrics", timeout=60).text
        assert "lambda_" in text, variable
        assert found(plot.planted.keyed | plot.planted.plain, text) == set(), variable


def test_the_tables_have_none_that_can_be_told(traced: Deployment, plot: Plot) -> None:
    for name, text in relations(traced).items():
        assert found(plot.planted.keyed, text) == set(), name


def test_what_cannot_be_told_is_where_calls_are_kept_and_nowhere_else(traced: Deployment, plot: Plot) -> None:
    tables = relations(traced)

    for name, text in tables.items():
        if name not in WORDS:
            assert found(plot.planted.plain, text) == set(), name
    in_params = {f"{language} params note" for language in RUNTIMES}
    in_context = {f"{language} context note" for language in RUNTIMES}
    assert found(plot.planted.plain, tables["request_logs"]) == {
        "result",
        "exception",
        "schema note",
        *in_params,
        *in_context,
    }
    assert found(plot.planted.plain, tables["error_logs"]) == {"exception"}


def test_spans_have_none(collector: Collector, plot: Plot) -> None:
    runtimes = {f"lambda-runtime-{language}" for language in RUNTIMES}
    until(lambda: runtimes < {span.service for span in collector.spans}, "spans of all have come")
    until(lambda: any(span.failed for span in collector.spans), "spans of failures have come")

    text = bytes(collector.raw).decode("utf-8", "replace")
    assert found(plot.planted.keyed | plot.planted.plain, text) == set()


def test_scripts_sessions_and_results_keep_what_was_sent(traced: Deployment, plot: Plot) -> None:
    sessions = "".join(str(row) for row in rows(traced, "SELECT s::text FROM sessions AS s"))
    texts = "".join(str(row) for row in rows(traced, "SELECT s::text FROM scripts AS s"))
    store = redis.Redis.from_url(traced.redis.url)
    results = str([store.get(key) for key in store.scan_iter("v2:result:*")])
    store.close()

    contexts = {place for place in plot.planted.keyed if " context " in place}
    assert contexts <= found(plot.planted.keyed, sessions)
    assert found(plot.planted.plain, texts) >= {"script", "exception", "result"}
    assert {"stdout", "stderr", "result"} <= found(plot.planted.keyed, results)
