"""The programs of a control plane, built from Go modules. Their versions are in the go.mod of each folder."""

from dataclasses import dataclass
from pathlib import Path

from local.fetch.go_programs import GoPrograms

SOURCES = Path(__file__).parent
#: Seconds for one build. kube-apiserver has two thousand packages.
BUILD_TIMEOUT = 3600


@dataclass(frozen=True)
class Programs:
    """The folder with the programs, in `bin`."""

    folder: Path

    def etcd(self) -> Path:
        """Returns the program, built if need be. Raises UnavailableError."""
        return self._programs.of_package("etcd", SOURCES / "etcd", "go.etcd.io/etcd/server/v3")

    def kube_apiserver(self) -> Path:
        """Returns the program, built if need be. Raises UnavailableError."""
        return self._programs.of_package(
            "kube_apiserver", SOURCES / "kube_apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"
        )

    @property
    def _programs(self) -> GoPrograms:
        return GoPrograms(self.folder, BUILD_TIMEOUT)
