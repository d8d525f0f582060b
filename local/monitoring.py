"""Prometheus beside the service on this machine, with our rules, until Ctrl-C: `make dashboards`."""

import argparse
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from local.fetch.debian_program import DebianProgram, debian_program
from local.run import announce, supervised
from local.services import METRICS
from local.settings import Settings
from local.state import ROOT, State
from local.stores.postgres import DATABASE, USER
from local.supervisor.account import KEEPER, Account
from local.supervisor.managed_process import Part, PartError
from local.supervisor.ports import LOOPBACK, is_free, is_well
from local.supervisor.supervisor import Interruption, Supervisor

DEPLOYED = ROOT / "deploy" / "prometheus"


class PrometheusServer(Part):
    """A Prometheus with our configuration and rules.

    Args:
        server: the program.
        state: keeps its data and its log.
        port: where it listens on the loopback address.
        targets: addresses by the name of their job; they take the place of those in `deploy/prometheus`.
        interval: seconds between two scrapes, and between two looks at the rules.
    """

    def __init__(
        self,
        server: DebianProgram,
        state: State,
        port: int,
        targets: Mapping[str, Sequence[str]],
        interval: int = 15,
    ) -> None:
        super().__init__("prometheus", state.log("prometheus"), Account.named(KEEPER))
        self.port = port
        self._server = server
        self._targets = {**targets, "prometheus": [f"{LOOPBACK}:{port}"]}
        self._interval = interval
        self._state = state
        self._folder = state.run_folder / "prometheus"

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def prepare(self) -> None:
        """Its account may not be able to read the checkout: it gets copies."""
        self._state.private_folder("prometheus", self.account)
        rules = self._folder / "rules"
        shutil.copytree(DEPLOYED / "rules", rules)
        configuration = self._folder / "prometheus.yml"
        configuration.write_text(json.dumps(scraping(self._targets, self._interval)))
        for path in (rules, *rules.iterdir(), configuration):
            self.account.owns(path)

    def environment(self) -> dict[str, str]:
        return super().environment() | self._server.environment

    def command(self) -> list[str]:
        data = self._state.kept_folder("prometheus-data", self.account)
        return [
            str(self._server.path),
            f"--config.file={self._folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={data}",
            f"--web.listen-address={LOOPBACK}:{self.port}",
        ]

    def answers(self) -> bool:
        return is_well(self.port, "/-/ready")


def scraping(targets: Mapping[str, Sequence[str]], interval: int) -> dict[str, Any]:
    """The deployed configuration with other addresses and another interval; further jobs come last."""
    document: dict[str, Any] = yaml.safe_load(DEPLOYED.joinpath("prometheus.yml").read_text())
    document["global"] = {"scrape_interval": f"{interval}s", "evaluation_interval": f"{interval}s"}
    jobs = {job["job_name"]: job for job in document["scrape_configs"]}
    for name, addresses in targets.items():
        job = jobs.setdefault(name, {"job_name": name})
        job["static_configs"] = [{"targets": list(addresses)}]
    document["scrape_configs"] = list(jobs.values())
    return document


#: Seconds between two scrapes: a human being is looking.
INTERVAL = 5

GUIDE = """
Prometheus is at {prometheus}, with our rules; Ctrl-C ends it. Start the service in another terminal: make run
Unpacked from its package it has an HTTP API and no pages (one that is installed, or that PROMETHEUS names, has):
  curl -s {prometheus}/api/v1/alerts
  curl -s {prometheus}/api/v1/query --data-urlencode 'query=sum by (code) (rate(lambda_requests_total[1m]))'

Grafana is in none of the registries that this project fetches from. Give one of yours two data sources:
  Prometheus    uid prometheus     {prometheus}
  PostgreSQL    uid request-log    {host}:{port}, database {database}, user {user}, without TLS,
                                   password in {secret}
and import the files of {dashboards}"""


def targets(ports: dict[str, int]) -> dict[str, list[str]]:
    """Where the parts serve their metrics, by job; 0 is nowhere."""
    jobs = {
        "controller": ["METRICS_PORT"],
        "runtime": list(METRICS.values()),
        "packages": ["PACKAGES_METRICS_PORT"],
    }
    return {
        job: [f"{LOOPBACK}:{ports[variable]}" for variable in variables if ports[variable]]
        for job, variables in jobs.items()
    }


def guide(prometheus: str, state: State, settings: Settings) -> str:
    """What to do now."""
    return GUIDE.format(
        prometheus=prometheus,
        host=LOOPBACK,
        port=settings.ports["POSTGRES_PORT"],
        database=DATABASE,
        user=USER,
        secret=state.folder / "secrets" / "POSTGRES_PASSWORD",
        dashboards=ROOT / "deploy" / "grafana" / "dashboards",
    )


def run(port: int, state: State, supervisor: Supervisor, interruption: Interruption) -> None:
    """Run Prometheus until told to end."""
    settings = Settings.from_environment(ROOT / ".env")
    if not is_free(port):
        raise PartError(f"port {port} is in use; choose another: make dashboards PROMETHEUS_PORT=...")
    announce("fetching Prometheus where it is not there yet")
    found = debian_program("prometheus", "prometheus", state.folder / "prometheus")
    server = PrometheusServer(found, state, port, targets(settings.ports), INTERVAL)
    supervisor.launch(server)
    supervisor.await_answers(server)
    announce(guide(server.url, state, settings))
    supervisor.watch(interruption.wait)


def main() -> int:
    """The command. Returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m local.monitoring", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="where Prometheus listens on loopback")
    parser.add_argument(
        "--state", type=Path, default=ROOT / ".local", help="folder of the program, its data and its log"
    )
    arguments = parser.parse_args()
    return supervised(arguments.state, partial(run, arguments.port), record="monitoring.json")


if __name__ == "__main__":
    sys.exit(main())
