"""From one version to the next, up and down, and through crashes."""

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import requests

from tests.integration.tools.faas_local.conftest import (
    FUNCTION,
    Provider,
    shrinkwrap,
    with_and_without_watchdog,
)
from tests.processes import alive
from tests.waiting import until

CLIENTS = 4


class Load:
    """Clients that ask for the version, each as often as it can, until they are told to stop."""

    def __init__(self, provider: Provider) -> None:
        self._url = f"{provider.url}/function/{FUNCTION}/version"
        self._enough = Event()
        self._pool = ThreadPoolExecutor(CLIENTS)
        self.answers: list[tuple[int, str]] = []
        self._clients = [self._pool.submit(self._client) for _ in range(CLIENTS)]

    def versions(self) -> set[str]:
        return {text.split(" ")[0] for _, text in self.answers}

    def stop(self) -> None:
        self._enough.set()
        for client in self._clients:
            client.result()
        self._pool.shutdown()

    def _client(self) -> None:
        with requests.Session() as session:
            while not self._enough.is_set():
                answer = session.get(self._url, timeout=30)
                self.answers.append((answer.status_code, answer.text))


def change_version(checkout: Path, faas_cli: Path, before: str, after: str) -> None:
    handler = checkout / FUNCTION / "handler.py"
    handler.write_text(handler.read_text().replace(f'VERSION = "{before}"', f'VERSION = "{after}"'))
    shrinkwrap(checkout, faas_cli)


def test_a_new_version_under_load_fails_no_request(
    provider: Provider, greeter: str, checkout: Path, faas_cli: Path
) -> None:
    processes = provider.tree()
    load = Load(provider)
    until(lambda: len(load.answers) > 50, "the load runs")
    change_version(checkout, faas_cli, "one", "two")
    assert "already exists, attempting rolling-update" in provider.cli("deploy", "-f", f"{greeter}.yml")
    try:
        until(lambda: "two" in load.versions(), "the new version answers")
        until(lambda: not alive(processes), "the end of the old version")
        served = len(load.answers)
        until(lambda: len(load.answers) > served + 50, "the load goes on")
    finally:
        load.stop()
        change_version(checkout, faas_cli, "two", "one")

    assert {status for status, _ in load.answers} == {200}
    assert load.versions() == {"one", "two"}
    assert load.answers[-1][1].startswith("two")


def test_a_version_that_does_not_start_leaves_the_old_one(
    provider: Provider, greeter: str, checkout: Path
) -> None:
    module = checkout / "build" / greeter / "function" / "handler.py"
    good = module.read_text()
    module.write_text("raise RuntimeError('broken as asked')\n")
    try:
        provider.cli("deploy", "-f", f"{greeter}.yml")
        until(lambda: "ended by itself" in reason(provider), "the reason is told")
    finally:
        module.write_text(good)

    assert provider.call(f"{greeter}/version").text.startswith("one")
    assert "broken as asked" in provider.cli("logs", greeter, "--tail=false")


def test_a_function_that_cannot_be_installed_says_why(provider: Provider, checkout: Path) -> None:
    requirements = checkout / "build" / FUNCTION / "function" / "requirements.txt"
    good = requirements.read_text()
    requirements.write_text("--no-such-option\n")
    try:
        provider.cli("deploy", "-f", f"{FUNCTION}.yml")
        until(lambda: "cannot be installed" in reason(provider), "the reason is told")
    finally:
        requirements.write_text(good)

    answer = provider.call(FUNCTION)
    provider.cli("remove", "-f", f"{FUNCTION}.yml")
    assert answer.status_code == 503
    assert "--no-such-option" in answer.text


def test_a_crash_is_seen_and_the_function_starts_again(provider: Provider, greeter: str) -> None:
    before = provider.call(f"{greeter}/version").text

    provider.call(f"{greeter}/die")
    until(lambda: provider.describe(greeter)["availableReplicas"] == 0, "the crash is seen")
    refused = provider.call(f"{greeter}/version")
    provider.until_available(greeter)
    after = provider.call(f"{greeter}/version")

    assert (refused.status_code, "SIGKILL" in refused.text or "status 1" in refused.text) == (503, True)
    assert (after.status_code, after.text != before) == (200, True)
    assert "as asked" in provider.cli("logs", greeter, "--tail=false")


def test_a_function_is_scaled_up_and_down_to_nothing(provider: Provider, greeter: str) -> None:
    assert scale(provider, 2) == 202
    provider.until_available(greeter, 2)
    assert provider.describe(greeter)["replicas"] == 2
    assert len({provider.call(f"{greeter}/version").text for _ in range(4)}) == 2

    processes = provider.tree()
    assert scale(provider, 0) == 202
    refused = provider.call(greeter)
    until(lambda: not alive(processes), "the end of its processes")
    assert (refused.status_code, "scaled to 0" in refused.text) == (503, True)
    assert scale(provider, 6) == 400
    assert scale(provider, 1) == 202
    provider.until_available(greeter)
    assert provider.call(greeter).status_code == 200


def test_what_is_deployed_outlives_a_restart_of_the_provider(provider: Provider, greeter: str) -> None:
    processes = provider.tree()
    assert provider.stop() == 0
    until(lambda: not alive(processes), "the end of the functions")

    provider.start()
    provider.until_available(greeter)
    assert provider.call(f"{greeter}/version").text.startswith("one")


def test_a_killed_provider_takes_its_functions_with_it(provider: Provider, greeter: str) -> None:
    processes = provider.tree()
    provider.stop(signal.SIGKILL)
    until(lambda: not alive(processes), "the end of the functions")
    provider.start()
    provider.until_available(greeter)
    assert provider.call(f"{greeter}/version").status_code == 200


@with_and_without_watchdog
def test_calls_under_way_are_answered_before_the_end(provider: Provider, greeter: str, gate: Path) -> None:
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(provider.call, f"{greeter}/wait?{gate}")
        until(gate.with_suffix(".busy").exists, "the call is under way")
        processes = provider.tree()
        provider.cli("remove", "-f", f"{greeter}.yml")
        assert provider.call(greeter).status_code == 404
        assert alive(processes)
        gate.touch()
        assert (call.result().status_code, call.result().text) == (200, "second\n")
    until(lambda: not alive(processes), "the end of its processes")
    provider.cli("deploy", "-f", f"{greeter}.yml")


def reason(provider: Provider) -> str:
    """Why the function is not ready."""
    return str(provider.describe(FUNCTION)["annotations"].get("local.not-ready", ""))


def scale(provider: Provider, replicas: int) -> int:
    """As faas-cli's library asks; returns the status."""
    body = {"serviceName": FUNCTION, "replicas": replicas}
    url = f"{provider.url}/system/scale-function/{FUNCTION}?namespace=openfaas-fn"
    return requests.post(url, json=body, timeout=60).status_code
