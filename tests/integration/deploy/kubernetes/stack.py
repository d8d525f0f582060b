"""stack.yml as OpenFaaS makes pods of it."""

import re
from dataclasses import dataclass
from typing import Any

import yaml

from local.state import ROOT

NAMESPACE = "openfaas-fn"
PORT = 8080
"""Where of-watchdog listens in every function."""


@dataclass(frozen=True, slots=True)
class Function:
    """One function. `labels` are those of its pods: its own, and the one that OpenFaaS adds."""

    name: str
    labels: dict[str, str]
    secrets: frozenset[str]
    environment: dict[str, str]
    image: str
    requests: dict[str, str]

    def seconds(self, variable: str) -> int:
        """A duration of its environment."""
        return int(self.environment[variable].removesuffix("s"))

    @property
    def ending(self) -> int:
        """Seconds from SIGTERM to the end at the latest: the drain, what runs, and gunicorn's last three."""
        return self.seconds("healthcheck_interval") + self.seconds("exec_timeout") + 3


def functions() -> dict[str, Function]:
    """Those of stack.yml, with the defaults of what is substituted."""
    return {name: _function(name, one) for name, one in _document()["functions"].items()}


def copied() -> set[str]:
    """What every image gets besides its handler."""
    return {path.removeprefix("./") for path in _document()["configuration"]["copy"]}


def component(name: str) -> list[Function]:
    """The functions of a component: controller or runtime."""
    return [one for one in functions().values() if one.labels["app.kubernetes.io/component"] == name]


def _document() -> dict[str, Any]:
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", (ROOT / "stack.yml").read_text())
    document: dict[str, Any] = yaml.safe_load(text)
    return document


def _function(name: str, one: dict[str, Any]) -> Function:
    return Function(
        name=name,
        labels={**one["labels"], "faas_function": name},
        secrets=frozenset(one["secrets"]),
        environment=one["environment"],
        image=one["image"],
        requests=one["requests"],
    )
