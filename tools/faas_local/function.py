"""A deployed function: its replicas, the way from one version to the next, and how faas-cli shows it."""

import contextlib
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import gevent
from gevent.lock import BoundedSemaphore
from gevent.pool import Group

from local.supervisor.proc import PROC, descendants, stat_fields
from tools.faas_local.build_folder import BuildFolder
from tools.faas_local.deployment import NAMESPACE, Deployment, Refused
from tools.faas_local.environment import Environments, Installation, InstallError
from tools.faas_local.instance import Instance, Machine
from tools.faas_local.logs import Log
from tools.faas_local.replica import Replica
from tools.faas_local.secret_store import SecretStore

#: Whom lines of the provider itself are from.
PROVIDER = "provider"


class Function:
    """A function and what runs of it.

    A new version is installed and started beside the old one; once all of its replicas are ready they take the calls,
    and the old ones end after those they have begun. Until then, and if it never gets there, the old ones serve.
    """

    def __init__(self, machine: Machine, environments: Environments, store: SecretStore, log: Log) -> None:
        self._machine = machine
        self._environments = environments
        self._store = store
        self.log = log
        self.created_at = datetime.now(UTC)
        self.calls = 0
        self.replicas = 0
        self.deployment: Deployment
        self.reason = "it is being installed"
        self._make: Callable[[], Instance] | None = None
        self._serving: list[Replica] = []
        self._rollout: gevent.Greenlet[..., None] = gevent.Greenlet()
        self._turns = itertools.count()
        self._changing = BoundedSemaphore(1)
        self._ending = Group()
        self._gone = False

    @property
    def available(self) -> int:
        """Replicas that serve."""
        return sum(replica.ready.is_set() for replica in self._serving)

    @property
    def pids(self) -> list[int]:
        """Of its replicas' processes."""
        return [replica.pid for replica in self._serving if replica.pid is not None]

    def deploy(self, deployment: Deployment, build: BuildFolder, replicas: int) -> None:
        """Begin to bring this version up; what was begun before it is given up. Raises Refused."""
        with self._changing:
            if self._gone:
                raise Refused(409, f"{deployment.service} is just being removed: deploy it again")
            self._rollout.kill()
            self.deployment = deployment
            self.replicas = replicas
            self.reason = "it is being installed"
            self._rollout = gevent.spawn(self._roll_out, deployment, build)

    def hold(self, deployment: Deployment, replicas: int, reason: str) -> None:
        """Keep what was deployed, which cannot run; the reason is shown."""
        self.deployment = deployment
        self.replicas = replicas
        self._report(reason)

    def scale(self, replicas: int) -> None:
        """Raises Refused when the function's label forbids so many."""
        if not 0 <= replicas <= self.deployment.maximum:
            raise Refused(400, f"{self.deployment.service} may have 0 to {self.deployment.maximum} replicas")
        self.replicas = replicas
        self._fit()

    def candidates(self) -> Iterator[Replica]:
        """Those that serve, beginning with another one each time. Raises Refused when there is none."""
        ready = [replica for replica in self._serving if replica.ready.is_set()]
        if not ready:
            reason = "it is scaled to 0" if not self.replicas else self.reason or "it is starting"
            raise Refused(503, f"{self.deployment.service} is not ready: {reason}")
        turn = next(self._turns) % len(ready)
        return iter(ready[turn:] + ready[:turn])

    def stop(self) -> None:
        """End its processes, after the calls that are under way, for good."""
        with self._changing:
            self._gone = True
            self._rollout.kill()
        serving, self._serving = self._serving, []
        self._end(serving)
        self._ending.join()
        self.log.end()

    def _roll_out(self, deployment: Deployment, build: BuildFolder) -> None:
        fresh: list[Replica] = []
        try:
            make = self._maker(deployment, self._environments.install(build, self._say))
            self.reason = "it is starting"
            fresh += [Replica(make, self._report) for _ in range(self.replicas)]
            for replica in fresh:
                replica.ready.wait()
        except (InstallError, OSError, Refused) as error:
            self._report(f"it cannot be installed: {error}")
            return
        except gevent.GreenletExit:
            self._end(fresh)
            raise
        old, self._serving, self._make = self._serving, fresh, make
        self._end(old)
        self._fit()

    def _maker(self, deployment: Deployment, installation: Installation) -> Callable[[], Instance]:
        def make() -> Instance:
            secrets = {name: self._store.value(name) for name in deployment.secrets}
            return Instance(self._machine, deployment, installation, secrets, self.log.write)

        return make

    def _fit(self) -> None:
        """As many replicas of the version that serves as are wanted."""
        if self._make is None:
            return
        surplus, self._serving = self._serving[self.replicas :], self._serving[: self.replicas]
        self._end(surplus)
        while len(self._serving) < self.replicas:
            self._serving.append(Replica(self._make, self._report))

    def _end(self, replicas: list[Replica]) -> None:
        """In the background: calls may still be under way."""
        for replica in replicas:
            self._ending.spawn(replica.stop)

    def _report(self, reason: str) -> None:
        if reason and reason != self.reason:
            self._say(reason)
        self.reason = reason

    def _say(self, line: str) -> None:
        self.log.write(PROVIDER, line)


#: Annotations of our own: how the function runs, and why it does not.
WATCHDOG, REASON = "local.watchdog", "local.not-ready"


def status(function: Function, watchdog: str, *, measured: bool = False) -> dict[str, Any]:
    """The document, with what its processes use if that is to be measured. What was not set is left out."""
    deployment = function.deployment
    own = {WATCHDOG: watchdog} | ({REASON: function.reason} if function.reason else {})
    document = deployment.to_json() | {
        "name": deployment.service,
        "namespace": NAMESPACE,
        "labels": dict(deployment.labels),
        "annotations": {**deployment.annotations, **own},
        "invocationCount": function.calls,
        "replicas": function.replicas,
        "availableReplicas": function.available,
        "createdAt": function.created_at.isoformat(),
    }
    if measured:
        document["usage"] = usage(function.pids)
    del document["service"]
    return {name: value for name, value in document.items() if value not in (None, [], ())}


_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def usage(pids: Iterable[int]) -> dict[str, float]:
    """Of the processes and all below them: thousandths of a CPU, on the average since each began; and bytes."""
    measured = [_measure(pid) for root in pids for pid in descendants(root)]
    return {
        "cpu": round(sum(cpu for cpu, _ in measured), 1),
        "totalMemoryBytes": sum(memory for _, memory in measured),
    }


def _measure(pid: int) -> tuple[float, float]:
    """Nothing of a process that is gone."""
    fields = stat_fields(pid)
    if fields is not None:
        with contextlib.suppress(OSError):
            seconds = (int(fields[11]) + int(fields[12])) / _TICKS
            age = float((PROC / "uptime").read_text().split()[0]) - int(fields[19]) / _TICKS
            pages = int((PROC / str(pid) / "statm").read_text().split()[1])
            return 1000 * seconds / max(age, 1 / _TICKS), float(pages * _PAGE)
    return 0.0, 0.0
