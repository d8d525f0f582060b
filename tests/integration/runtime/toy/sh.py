"""sh: the machine's shell, started by a worker program in Python."""

from runtime.languages.base import Interpreted
from runtime.process.process import Launch, Preload
from runtime.sandbox.confine import Confinement, interpreter_paths
from runtime.settings import Settings

WORKER = "tests.integration.runtime.toy.sh_worker"


class Sh(Interpreted):
    """Scripts of the shell, which may start the machine's programs."""

    name = "sh"

    def __init__(self, settings: Settings) -> None:
        self._confinement = Confinement(
            read=interpreter_paths(),
            run=("/bin", "/usr/bin"),
            processes=True,
            memory_bytes=settings.memory_max_bytes,
            cpu_seconds=settings.cpu_max_seconds,
            network=settings.network,
            off=settings.isolation_off,
        )

    def preload(self) -> Preload:
        return Preload(modules=("json", "re", "subprocess"), worker=WORKER)

    def launch(self) -> Launch:
        return Launch(confinement=self._confinement)
