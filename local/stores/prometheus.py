"""Prometheus with our configuration and rules."""

import json
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from local.fetch.debian_program import DebianProgram
from local.state import ROOT, State
from local.supervisor.account import KEEPER, Account
from local.supervisor.managed_process import Part
from local.supervisor.ports import LOOPBACK, is_well

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
        """Its account may not be able to read the checkout: it gets files of its own."""
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
