"""Prometheus beside the service on this machine, with our rules, until Ctrl-C: `make dashboards`."""

import argparse
import sys
from functools import partial
from pathlib import Path

from local.fetch.debian_program import debian_program
from local.run import announce, supervised
from local.services import METRICS
from local.settings import Settings
from local.state import ROOT, State
from local.stores.postgres import DATABASE, USER
from local.stores.prometheus import PrometheusServer
from local.supervisor.managed_process import PartError
from local.supervisor.ports import LOOPBACK, is_free
from local.supervisor.signals import Interruption
from local.supervisor.supervisor import Supervisor

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
