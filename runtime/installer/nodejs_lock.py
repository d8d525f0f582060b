"""What may be declared of npm packages, and their locks: `package-lock.json` of version 2 or 3."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from runtime.installer.refusals import RESOLVE, refusal

PACKAGES_MAX, ENTRIES_MAX = 200, 5000
_PART = r"[a-z0-9~][a-z0-9._~-]*"
NAME = re.compile(rf"(?=.{{1,214}}$)(?:@{_PART}/)?{_PART}")
_PLACE = re.compile(
    rf"(?:node_modules/(?:@{_PART}/)?{_PART}/)*node_modules/((?:@{_PART}/)?{_PART})", re.IGNORECASE
)
_VERSION = (
    r"(?:0|[1-9]\d{0,15})(?:\.(?:[xX*]|\d{1,16})){0,2}(?:-[0-9A-Za-z.-]{1,100})?(?:\+[0-9A-Za-z.-]{1,100})?"
)
_COMPARATOR = rf"(?:[~^]|[<>]=?|=)?\s*v?(?:{_VERSION}|[xX*])"
_SET = rf"(?:{_COMPARATOR}\s+-\s+{_COMPARATOR}|{_COMPARATOR}(?:\s+{_COMPARATOR})*)"
_RANGE = re.compile(rf"\s*{_SET}(?:\s*\|\|\s*{_SET})*\s*")
_TAG = re.compile(r"[a-z][a-z0-9-]{0,63}")
_EXACT = re.compile(r"\d{1,16}\.\d{1,16}\.\d{1,16}(?:-[0-9A-Za-z.-]{1,100})?(?:\+[0-9A-Za-z.-]{1,100})?")
_FILE = re.compile(r"\.(?:tgz|tar|tar\.gz)$", re.IGNORECASE)
_INTEGRITY = re.compile(r"(?:sha(?:256|384|512)-[A-Za-z0-9+/]{40,100}={0,2}(?:\s+|$))+")
_LENGTH_MAX = 500
#: What an entry of a lock needs: `npm ci` lays out the packages by it, and leaves out those of other platforms.
_KEPT = (
    *("version", "name", "integrity", "inBundle", "optional", "peer", "devOptional", "os", "cpu", "libc"),
    *("dependencies", "optionalDependencies", "peerDependencies", "peerDependenciesMeta"),
    *("bundleDependencies", "hasInstallScript"),
)

Entries = dict[str, dict[str, Any]]


def declared(packages: Sequence[str]) -> dict[str, str]:
    """Return the ranges of versions that are declared, by name.

    Raises:
        InitializationFailed: An entry is no name with a range.
    """
    if len(packages) > PACKAGES_MAX:
        raise refusal(f"more than {PACKAGES_MAX} packages are declared", RESOLVE)
    found: dict[str, str] = {}
    for entry in packages:
        at = entry.find("@", 1)
        name, wanted = (entry, "") if at < 0 else (entry[:at], entry[at + 1 :])
        _check(name, wanted or "*")
        if found.setdefault(name, wanted or "*") != (wanted or "*"):
            raise refusal(f"{name} is declared twice", RESOLVE)
    return found


def entries(lock: str) -> Entries:
    """Return the entries of a lock by their places. The one at "" has what is asked for.

    Raises:
        InitializationFailed: The lock is malformed, or an entry has no hash or is no package of a registry.
    """
    try:
        document = json.loads(lock)
        packages = document["packages"]
        root = packages.pop("", {})
        wanted = dict(root.get("dependencies", {}))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise refusal("the lock is no package-lock.json of version 2 or 3", RESOLVE) from None
    if len(packages) > ENTRIES_MAX:
        raise refusal(f"the lock has more than {ENTRIES_MAX} packages", RESOLVE)
    for name, range_ in wanted.items():
        _check(name, range_)
    found = {
        place: _entry(place, entry) for place, entry in packages.items() if not _is_for_development(entry)
    }
    return {"": {"dependencies": wanted}, **found}


def canonical(found: Entries) -> str:
    """Return the canonical text of a lock."""
    document = {"lockfileVersion": 3, "packages": found, "requires": True}
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def named(found: Entries) -> list[tuple[str, str]]:
    """Return names and versions of a lock's packages, sorted, each once."""
    places = ((_PLACE.fullmatch(place), entry) for place, entry in found.items() if place)
    return sorted({(entry.get("name") or place[1], entry["version"]) for place, entry in places if place})


def _check(name: str, wanted: object) -> None:
    if not NAME.fullmatch(name):
        raise refusal(f"{name[:80]!r} is no name of an npm package", RESOLVE)
    allowed = isinstance(wanted, str) and len(wanted) <= _LENGTH_MAX and not _FILE.search(wanted.strip())
    if not allowed or not (_RANGE.fullmatch(str(wanted)) or _TAG.fullmatch(str(wanted))):
        what = "packages come from the registry only; addresses, paths, git and aliases are refused"
        raise refusal(f"{name}: {str(wanted)[:80]!r} is no range of versions: {what}", RESOLVE)


def _is_for_development(entry: object) -> bool:
    return isinstance(entry, dict) and entry.get("dev") is True


def _entry(place: str, entry: object) -> dict[str, Any]:
    """Return what counts of an entry."""
    match = _PLACE.fullmatch(place)
    if match is None or not isinstance(entry, dict):
        raise refusal(f"{place[:80]!r} in the lock is no place of an npm package", RESOLVE)
    if entry.get("link") or not str(entry.get("resolved", "https:")).startswith(("https:", "http:")):
        raise refusal(f"{place}: links, folders, archives and git are refused", RESOLVE)
    if not _EXACT.fullmatch(str(entry.get("version"))):
        raise refusal(f"{place}: its version is none of a registry", RESOLVE)
    if not entry.get("inBundle") and not _INTEGRITY.fullmatch(str(entry.get("integrity"))):
        raise refusal(f"{place} has no usable hash in the lock", RESOLVE)
    if "name" in entry and not NAME.fullmatch(str(entry["name"])):
        raise refusal(f"{place}: its name is no name of an npm package", RESOLVE)
    return {key: entry[key] for key in _KEPT if entry.get(key)}


def dependencies(found: Mapping[str, Any]) -> bytes:
    """Return the `package.json` that asks for what a lock's entry at "" names."""
    return json.dumps({"dependencies": found.get("dependencies", {})}).encode()
