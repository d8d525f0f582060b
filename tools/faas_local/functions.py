"""All deployed functions. They are kept in files, so that they are there again after a restart."""

import json
from pathlib import Path

from gevent.pool import Group

from tools.faas_local.build_folder import BuildFolder
from tools.faas_local.deployment import Deployment, Refused
from tools.faas_local.environment import Environments
from tools.faas_local.function import Function
from tools.faas_local.instance import Machine
from tools.faas_local.logs import Log
from tools.faas_local.secret_store import SecretStore


class Functions:
    """The functions by their names.

    Args:
        folder: of the files that say what is deployed, and of the logs.
        builds: the folder of build folders.
    """

    def __init__(
        self, folder: Path, builds: Path, machine: Machine, environments: Environments, store: SecretStore
    ) -> None:
        self._folder = folder / "functions"
        self._logs = folder / "log"
        self._builds = builds
        self._machine = machine
        self._environments = environments
        self._store = store
        self._functions: dict[str, Function] = {}
        self._ending = Group()
        for path in (self._folder, self._logs):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def restore(self) -> None:
        """Start what was deployed. Where the build folder is gone meanwhile the function's status says so."""
        for path in sorted(self._folder.glob("*.json")):
            kept = json.loads(path.read_text())
            deployment = Deployment.from_json(kept["deployment"])
            try:
                self._deploy(deployment, kept["replicas"])
            except Refused as refused:
                self._function(deployment.service).hold(deployment, kept["replicas"], str(refused))

    def all(self) -> list[Function]:
        return [self._functions[name] for name in sorted(self._functions)]

    def get(self, name: str) -> Function:
        """Raises Refused when there is none of that name."""
        function = self._functions.get(name)
        if function is None:
            raise Refused(404, f"there is no function {name}")
        return function

    def deploy(self, deployment: Deployment) -> None:
        """Begin to bring the function up, or a new version of it. Raises Refused."""
        known = self._functions.get(deployment.service)
        current = known.replicas if known else 0
        replicas = max(deployment.minimum, 1, min(current, deployment.maximum))
        self._deploy(deployment, replicas)
        self._keep(deployment.service)

    def scale(self, name: str, replicas: int) -> None:
        """Raises Refused."""
        self.get(name).scale(replicas)
        self._keep(name)

    def remove(self, name: str) -> None:
        """Forget the function; its processes end after the calls they have begun. Raises Refused."""
        function = self.get(name)
        del self._functions[name]
        self._file(name).unlink(missing_ok=True)
        function.log.remove()
        self._ending.spawn(function.stop)

    def stop(self) -> None:
        """End all processes; what is deployed is kept."""
        for function in self._functions.values():
            self._ending.spawn(function.stop)
        self._ending.join()

    def _deploy(self, deployment: Deployment, replicas: int) -> None:
        build = BuildFolder(self._builds, deployment.service)
        build.arguments()
        self._store.require(deployment.secrets)
        self._function(deployment.service).deploy(deployment, build, replicas)

    def _function(self, name: str) -> Function:
        """The one of that name, a new one if need be."""
        if name not in self._functions:
            log = Log(self._logs / f"{name}.log", name)
            self._functions[name] = Function(self._machine, self._environments, self._store, log)
        return self._functions[name]

    def _keep(self, name: str) -> None:
        function = self._functions[name]
        fresh = self._file(name).with_suffix(".new")
        fresh.write_text(
            json.dumps({"deployment": function.deployment.to_json(), "replicas": function.replicas})
        )
        fresh.rename(self._file(name))

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.json"
