"""Requests made up from the contract, against the live service: no 5xx, and no answer outside the contract."""

import re
import subprocess
import sys
from pathlib import Path

import requests
import yaml

from controller.models.cursors import cursor_of
from tests.acceptance.client import ALL_SCOPES, Client
from tests.conftest import ROOT

SEED = 20261122
EXAMPLES = 5
"""Made-up requests of each call, besides those at the edges of its schema."""
BUDGET = 30
"""Seconds that they take at most on a machine that has nothing else to do."""
CONFIGURATION = """
headers = {{ Authorization = "Bearer {token}" }}

# Most made-up names would meet a 404 at the door.
[[operations]]
include-name = "POST /api/v1/initialize"
parameters = {{ "header.Language-Title" = "python-made_up" }}
# A text that is no Python is well-formed and refused all the same.
checks.positive_data_acceptance.enabled = false

[[operations]]
include-name = ["POST /api/v1/execute/{{request_id}}", "GET /api/v1/sessions/{{request_id}}"]
parameters = {{ "path.request_id" = "{session}" }}

[[operations]]
include-name = "DELETE /api/v1/sessions/{{request_id}}"
parameters = {{ "path.request_id" = "{doomed}" }}

[[operations]]
include-name = "POST /api/v1/keys"
# Most made-up references name no function, and most times have passed.
checks.positive_data_acceptance.enabled = false

[[operations]]
include-name = "GET /api/v1/functions/{{function_ref}}"
parameters = {{ "path.function_ref" = "nodejs-calculator" }}

[[operations]]
include-name = "PUT /api/v1/functions/{{function_ref}}"
parameters = {{ "path.function_ref" = "python-made_up", "header.If-Match" = "*" }}
# A text that is no Python, a schema that is none and packages are well-formed and refused all the same.
checks.positive_data_acceptance.enabled = false
# The first version is still to be made.
checks.negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 412, 413, 415]

[[operations]]
include-name = "POST /api/v1/functions/{{function_ref}}/execute"
parameters = {{ "path.function_ref" = "python-fuzzed" }}
# A deadline of a millisecond is well-formed.
checks.not_a_server_error.expected-statuses = ["2xx", "4xx", 504]

[[operations]]
include-name = "GET /api/v1/functions/{{language_title}}/versions"
# A made-up cursor is none.
parameters = {{ "path.language_title" = "nodejs-calculator", "query.cursor" = "{cursor}" }}

[[operations]]
include-name = "GET /api/v1/functions"
# A made-up cursor is none, and no page stands beside one.
checks.positive_data_acceptance.enabled = false

[[operations]]
include-name = ["GET /api/v1/executions", "GET /api/v1/usage"]
# A made-up cursor is none, a made-up alias is not there, and most ranges are too long.
checks.positive_data_acceptance.enabled = false

[[operations]]
include-path-regex = "/aliases"
parameters = {{ "path.language_title" = "python-fuzzed" }}
"""


def test_the_contract_is_served(client: Client) -> None:
    served = requests.get(f"{client.url}/openapi.json", timeout=60).json()
    assert served == yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text())


def test_the_page_is_served_and_may_ask_no_other_origin(client: Client) -> None:
    page = requests.get(f"{client.url}/docs", timeout=60)
    assert page.headers["Content-Type"].startswith("text/html")
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    for name in re.findall(r'"(docs/.*?)"', page.text):
        assert requests.get(f"{client.url}/{name}", timeout=60).status_code == 200


def test_made_up_requests_are_answered_by_the_contract(client: Client, tmp_path: Path) -> None:
    client = client.speaking_for(client.sub, f"{ALL_SCOPES} keys")
    script = "def handle(params):\n    return params\n"
    session, doomed = (client.begin("python-fuzzed", script) for _ in range(2))
    configuration = tmp_path / "schemathesis.toml"
    known = {"session": session, "doomed": doomed, "cursor": cursor_of(2)}
    configuration.write_text(CONFIGURATION.format(token=client.token, **known))
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(configuration)]
    command += ["run", str(ROOT / "docs" / "openapi.yaml"), "--url", client.url, "--no-color"]
    command += ["--seed", str(SEED), "--max-examples", str(EXAMPLES), "--generation-database", "none"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=15 * BUDGET, check=False
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    # Behind the door there was something to be found.
    assert client.session(session).json()["execution_count"] > EXAMPLES / 2
