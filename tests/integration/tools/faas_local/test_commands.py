"""Each command of the real faas-cli, against the provider."""

import re
import stat
from pathlib import Path

import pytest
import requests

from tests.integration.tools.faas_local.conftest import FUNCTION, Provider
from tests.processes import alive
from tests.waiting import until
from tools.faas_local.deployment import NAMESPACE


def test_a_function_is_deployed_listed_described_invoked_and_removed(provider: Provider) -> None:
    assert "Deployed. 202" in provider.cli("deploy", "-f", f"{FUNCTION}.yml", "--label", "kind=test")
    provider.until_available(FUNCTION)
    assert provider.cli("invoke", FUNCTION, given="you") == "hello, you"
    assert provider.cli("invoke", FUNCTION, "--namespace", NAMESPACE, given="you") == "hello, you"

    assert re.search(rf"^{FUNCTION} +\t2 +\t1 *$", provider.cli("list"), re.MULTILINE)
    described = provider.cli("describe", FUNCTION)
    for line in ("Status: +Ready", "Available replicas: +1", "Image: +greeter:latest", "kind : test"):
        assert re.search(line, described), described
    assert "gunicorn --config gunicorn_conf.py host:app" in described

    used = provider.describe(FUNCTION)["usage"]
    assert used["cpu"] > 0
    assert 10e6 < used["totalMemoryBytes"] < 1e9

    processes = provider.tree()
    assert "Removing old function" in provider.cli("remove", "-f", f"{FUNCTION}.yml")
    assert FUNCTION not in provider.cli("list")
    until(lambda: not alive(processes), "the end of its processes")
    assert "No such function" in provider.cli("describe", FUNCTION, status=1)


def test_version_namespaces_and_health_are_told(provider: Provider) -> None:
    assert "lambda-microservice local" in provider.cli("version", "--warn-update=false")
    assert NAMESPACE in provider.cli("namespaces")
    # What `faas-cli ready`, which the pinned one has not yet, asks for.
    assert requests.get(f"{provider.url}/healthz", timeout=60).status_code == 200


def test_logs_are_read_and_followed_however_long_a_line(
    provider: Provider, greeter: str, tmp_path: Path
) -> None:
    provider.call(f"{greeter}/shout")
    until(lambda: "after" in provider.cli("logs", greeter, "--tail=false"), "the log has the last line")
    assert "x" * 200_000 in provider.cli("logs", greeter, "--tail=false")
    assert len(provider.cli("logs", greeter, "--tail=false", "--lines=3").splitlines()) == 3
    assert provider.cli("logs", greeter, "--tail=false", "--since-time=2099-01-01T00:00:00Z") == ""

    followed = tmp_path / "followed"
    process = provider.follow_logs(greeter, followed)
    try:
        until(lambda: "after" in followed.read_text(), "what was logged before")
        before = followed.read_text().count("after")
        provider.call(f"{greeter}/shout")
        until(lambda: followed.read_text().count("after") > before, "what is logged meanwhile")
    finally:
        process.terminate()
        process.wait()


def test_secrets_are_made_listed_updated_and_removed(provider: Provider) -> None:
    assert "Created: 201" in provider.cli("secret", "create", "greeting", "--from-literal=servus")
    assert "already exists" in provider.cli("secret", "create", "greeting", "--from-literal=x")
    listed = provider.cli("secret", "list")
    assert "greeting" in listed and "servus" not in listed
    file = provider.state / "secrets" / "greeting"
    assert (stat.S_IMODE(file.stat().st_mode), file.read_text()) == (0o600, "servus")

    provider.cli(
        *("deploy", "-f", f"{FUNCTION}.yml", "--secret", "greeting"),
        *("--env", "GREETING_FILE=/var/openfaas/secrets/greeting"),
    )
    provider.until_available(FUNCTION)
    assert provider.call(f"{FUNCTION}/secret").text == "servus"
    assert "servus" not in requests.get(f"{provider.url}/system/functions", timeout=60).text
    assert "Updated: 200" in provider.cli("secret", "update", "greeting", "--from-literal=moin")
    assert file.read_text() == "moin"

    provider.cli("remove", "-f", f"{FUNCTION}.yml")
    provider.cli("secret", "remove", "greeting")
    assert "greeting" not in provider.cli("secret", "list")
    assert "nable to find secret" in provider.cli("secret", "remove", "greeting", status=1)


def test_newer_clients_send_secrets_as_base64(provider: Provider) -> None:
    body = {"name": "raw", "namespace": NAMESPACE, "rawValue": "AAEC/w=="}
    assert requests.post(f"{provider.url}/system/secrets", json=body, timeout=60).status_code == 201
    assert (provider.state / "secrets" / "raw").read_bytes() == bytes([0, 1, 2, 255])
    assert requests.delete(f"{provider.url}/system/secrets", json=body, timeout=60).status_code == 200


def test_what_cannot_be_deployed_is_refused_with_the_remedy(provider: Provider, checkout: Path) -> None:
    unknown = provider.cli("deploy", "--name", "nobody-built-this", "--image", "x", status=1)
    assert "400" in unknown
    assert "faas-cli build --shrinkwrap" in unknown

    unsecret = provider.cli("deploy", "-f", f"{FUNCTION}.yml", "--secret", "lacking", status=1)
    assert "faas-cli secret create" in unsecret
    assert "lacking" in unsecret

    elsewhere = provider.cli("deploy", "-f", f"{FUNCTION}.yml", "--namespace", "elsewhere", status=1)
    assert NAMESPACE in elsewhere
    assert provider.cli("list").splitlines()[1:] == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("GET", "/function/nobody", None, 404, "no function nobody"),
        ("GET", "/function/greeter.elsewhere", None, 404, NAMESPACE),
        ("GET", "/system/function/nobody", None, 404, "no function nobody"),
        ("GET", "/system/logs?name=nobody", None, 404, "no function nobody"),
        ("GET", "/system/functions?namespace=elsewhere", None, 404, NAMESPACE),
        ("POST", "/system/scale-function/nobody", {"replicas": 1}, 404, "no function nobody"),
        ("DELETE", "/system/functions", {"functionName": "nobody"}, 404, "no function nobody"),
        ("POST", "/system/functions", {"service": "../x", "image": "x"}, 400, "service"),
        ("POST", "/system/functions", [], 400, "no JSON object"),
        ("POST", "/system/secrets", {"name": "../x", "value": "x"}, 400, "a secret's name"),
        ("POST", "/system/secrets", {"name": "x"}, 400, "needs a value"),
        ("POST", "/async-function/greeter", None, 501, "no queue"),
    ],
)
def test_errors_say_what_is_wrong(
    provider: Provider, method: str, path: str, body: object, status: int, said: str
) -> None:
    answer = requests.request(method, f"{provider.url}{path}", json=body, timeout=60)
    assert (answer.status_code, said in answer.text) == (status, True), answer.text


@pytest.mark.parametrize(
    ("headers", "status"), [({"Content-Type": "text/plain"}, 400), ({"Host": "evil.example"}, 403)]
)
def test_a_page_in_a_browser_can_deploy_nothing(
    provider: Provider, headers: dict[str, str], status: int
) -> None:
    body = '{"service": "greeter", "image": "x", "envProcess": "touch /tmp/owned"}'
    headers = {"Content-Type": "application/json", **headers}
    answer = requests.post(f"{provider.url}/system/functions", data=body, headers=headers, timeout=60)
    assert answer.status_code == status
    assert provider.cli("list").splitlines()[1:] == []
