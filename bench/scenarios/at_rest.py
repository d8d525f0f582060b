"""The scenario of a service that was started and is not used."""

import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

from bench.scenarios.clients import Client
from bench.scenarios.scenario import Begin, Bench, Run, Scenario
from bench.service import rust_toolchain
from bench.states import State
from bench.wrk import Load, Tally
from local.state import ROOT


@dataclass(frozen=True)
class AtRest(Scenario):
    """Starting the whole service by its own command, on new data, and asking for its health after a rest."""

    def prepare(self, bench: Bench) -> Run:
        def run(begin: Begin) -> Load:
            rust = (rust_toolchain() / "toolchain.json").exists()
            with State(ROOT, Path(sys.executable), rust=rust) as state:
                time.sleep(bench.scale.rest)
                memory = state.memory()
                client = Client(state.connect(), "/health", Tally())
                return replace(client.work(begin, [client.read]), more=memory)

        return run
