"""Reads the addresses of runtimes from EndpointSlices (discovery.k8s.io/v1)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from framing.place import with_frames

LANGUAGE_LABEL = "lambda-microservice/language"
SERVICE_LABEL = "kubernetes.io/service-name"
#: Used address families, the preferred one first. A dual-stack Service lists each Pod in a slice of each family.
FAMILIES = ("IPv4", "IPv6")
PORT_NAME = "http"
#: The port where the runtimes of a Service take calls as frames. A Service may have none.
FRAMES_PORT_NAME = "frames"


def addresses_by_language(slices: Iterable[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """Return the sorted base URLs of ready endpoints by language. A language without ready endpoints has none."""
    found: dict[str, dict[str, dict[str, set[str]]]] = defaultdict(lambda: defaultdict(dict))
    for one in slices:
        labels = one["metadata"].get("labels") or {}
        language, service = labels.get(LANGUAGE_LABEL), labels.get(SERVICE_LABEL, "")
        if language:
            families = found[language][service]
            families.setdefault(one["addressType"], set()).update(_ready(one))
    return {language: tuple(sorted(_reachable(services))) for language, services in found.items()}


def _reachable(services: Mapping[str, Mapping[str, set[str]]]) -> Iterator[str]:
    for families in services.values():
        yield from next((families[family] for family in FAMILIES if families.get(family)), ())


def _ready(one: Mapping[str, Any]) -> Iterator[str]:
    port, frames = _ports(one.get("ports") or ())
    for endpoint in one.get("endpoints") or ():
        # A missing condition counts as true. If there are several addresses, the first is to be used.
        if port and (endpoint.get("conditions") or {}).get("ready") is not False:
            address = endpoint["addresses"][0]
            url = f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"
            yield with_frames(url, str(frames)) if frames else url


def _ports(ports: Iterable[Mapping[str, Any]]) -> tuple[int | None, int | None]:
    """Return the port named `http`, else the first TCP port; and that named `frames`, if there is one."""
    usable = [one for one in ports if one.get("port") and (one.get("protocol") or "TCP") == "TCP"]
    named = {one.get("name"): int(one["port"]) for one in reversed(usable)}
    others = (number for name, number in reversed(named.items()) if name != FRAMES_PORT_NAME)
    return named.get(PORT_NAME) or next(others, None), named.get(FRAMES_PORT_NAME)
