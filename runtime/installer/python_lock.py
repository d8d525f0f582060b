"""What may be declared of Python packages, and their locks: requirements with hashes, or `pylock.toml`."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from packaging.markers import InvalidMarker, Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from runtime.installer.refusals import RESOLVE, refusal

#: Most entries of a declaration, and of a lock.
PACKAGES_MAX, ENTRIES_MAX = 200, 2000
_LENGTH_MAX = 500
_PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*==\s*([^\s;]+)\s*(?:;(.*))?")
_HASH = re.compile(r"sha(?:256:[0-9a-f]{64}|384:[0-9a-f]{96}|512:[0-9a-f]{128})")
#: Options of a lock that name an index, and so do not count.
_OF_INDEXES = re.compile(
    r"(?:-i|-f|--(?:extra-)?index-url|--find-links|--no-index|--trusted-host|--(?:only|no)-binary|--prefer-binary)\b"
)


class Pin(NamedTuple):
    """One package of a lock, with the hashes of the files that it may be."""

    version: str
    hashes: tuple[str, ...]


def declared(packages: Sequence[str]) -> list[Requirement]:
    """Return what is declared: names with extras, versions and markers.

    Raises:
        InitializationFailed: An entry is something else.
    """
    if len(packages) > PACKAGES_MAX:
        raise refusal(f"more than {PACKAGES_MAX} packages are declared", RESOLVE)
    return [_requirement(entry) for entry in packages]


def check_python(requires: str | None, version: str) -> None:
    """Raise InitializationFailed if a script needs another version of Python."""
    try:
        if requires is None or SpecifierSet(requires).contains(version, prereleases=True):
            return
    except InvalidSpecifier:
        raise refusal(f"requires-python {requires!r} is no range of versions", RESOLVE) from None
    raise refusal(f"the script needs Python {requires}; this is Python {version}", RESOLVE)


def pins(lock: str) -> dict[str, Pin]:
    """Return the packages of a lock by normalized name. Only names, versions and hashes count.

    Raises:
        InitializationFailed: The lock is malformed, or an entry has no hash or is no package of an index.
    """
    found: dict[str, Pin] = {}
    for name, version, hashes in _of_pylock(lock) if "[[packages]]" in lock else _of_requirements(lock):
        normalized = canonicalize_name(name)
        if not hashes or not all(_HASH.fullmatch(each) for each in hashes):
            raise refusal(f"{name} has no usable hash in the lock", RESOLVE)
        pin = Pin(_version(name, version), tuple(sorted(set(hashes))))
        if found.setdefault(normalized, pin) != pin:
            raise refusal(f"{name} stands in the lock twice", RESOLVE)
        if len(found) > ENTRIES_MAX:
            raise refusal(f"the lock has more than {ENTRIES_MAX} packages", RESOLVE)
    return found


def canonical(locked: Mapping[str, Pin]) -> str:
    """Return the canonical text of a lock."""
    lines = (
        " ".join([f"{name}=={pin.version}", *(f"--hash={each}" for each in pin.hashes)])
        for name, pin in sorted(locked.items())
    )
    return "".join(f"{line}\n" for line in lines)


def _requirement(entry: str) -> Requirement:
    if len(entry) > _LENGTH_MAX:
        raise refusal(f"{entry[:40]!r}... is too long for a package", RESOLVE)
    try:
        found = Requirement(entry)
    except InvalidRequirement:
        what = (
            "a package is a name with extras, versions and markers; options, paths and addresses are refused"
        )
        raise refusal(f"{entry!r} is no package: {what}", RESOLVE) from None
    if found.url is not None:
        raise refusal(f"{found.name}: packages come from the registry only, not from an address", RESOLVE)
    if any(each.operator == "===" for each in found.specifier):
        raise refusal(f"{found.name}: versions are compared, so === is refused", RESOLVE)
    return found


def _version(name: str, version: object) -> str:
    try:
        return str(Version(str(version)))
    except InvalidVersion:
        raise refusal(f"{name}: {str(version)[:80]!r} is no version", RESOLVE) from None


def _applies(name: str, marker: str | None) -> bool:
    try:
        return not marker or Marker(marker).evaluate({"extra": ""})
    except InvalidMarker:
        raise refusal(f"{name}: its marker cannot be read", RESOLVE) from None


def _of_requirements(lock: str) -> Iterator[tuple[str, str, list[str]]]:
    for line in re.sub(r"\\\r?\n", " ", lock).splitlines():
        text = re.sub(r"(?:^|\s)#.*", "", line).strip()
        if not text or _OF_INDEXES.match(text):
            continue
        head, *hashes = re.split(r"\s+--hash[=\s]\s*", text)
        pin = _PIN.fullmatch(head.strip())
        if pin is None:
            raise refusal(f"{text[:80]!r} in the lock is no package with one version", RESOLVE)
        if _applies(pin[1], (pin[3] or "").strip()):
            yield pin[1], pin[2], [each.strip() for each in hashes]


def _of_pylock(lock: str) -> Iterator[tuple[str, str, list[str]]]:
    try:
        entries = tomllib.loads(lock)["packages"]
    except (tomllib.TOMLDecodeError, KeyError):
        raise refusal("the lock is no pylock.toml", RESOLVE) from None
    for entry in entries if isinstance(entries, list) else ():
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            raise refusal("an entry of the lock has no name", RESOLVE)
        if origin := {"vcs", "directory", "archive"} & entry.keys():
            raise refusal(f"{name}: a package from a {origin.pop()} is refused", RESOLVE)
        if _applies(name, entry.get("marker")):
            yield name, entry.get("version", ""), _wheel_hashes(entry)


def _wheel_hashes(entry: Mapping[str, Any]) -> list[str]:
    wheels = entry.get("wheels")
    tables = (
        [wheel.get("hashes") for wheel in wheels if isinstance(wheel, dict)]
        if isinstance(wheels, list)
        else []
    )
    return [f"{kind}:{value}" for table in tables if isinstance(table, dict) for kind, value in table.items()]
