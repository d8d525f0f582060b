"""The service's lines, and the fields that deploy/elastic declares for them."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.acceptance.deployment import Deployment
from tests.conftest import ROOT

ELASTIC = ROOT / "deploy" / "elastic"
TEXTS = {"keyword", "wildcard", "match_only_text"}


def parts(deployment: Deployment) -> dict[str, Path]:
    """The logs of what is ours, by the part's name."""
    ours = [deployment.controller, *deployment.runtimes.values()]
    return {part.name: part.log for part in ours}


def records(log: Path) -> list[dict[str, Any]]:
    """The lines of a log, flat, each a JSON object."""
    return [dict(flat(json.loads(line))) for line in log.read_text().splitlines()]


def flat(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The fields of a document, by their names with dots."""
    for name, value in document.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def declared() -> dict[str, str]:
    """Fields and types of the index template."""
    template = json.loads((ELASTIC / "index-template.json").read_text())
    return dict(_types(template["template"]["mappings"]["properties"]))


def _types(properties: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, field in properties.items():
        if "properties" in field:
            yield from _types(field["properties"], f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field["type"]


def fits(value: Any, kind: str | None) -> bool:
    """Whether Elasticsearch would take it as what it is; no type: the field is not declared."""
    match kind:
        case "date":
            return isinstance(value, str) and value.endswith("Z") and bool(datetime.fromisoformat(value))
        case "long":
            return type(value) is int and -(1 << 63) <= value < 1 << 63
        case "boolean":
            return isinstance(value, bool)
        case text if text in TEXTS:
            return isinstance(value, str)
    return False
