"""How packages are written: the canonical form of one, or why it is refused."""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

#: Most characters of one package.
LENGTH_MAX = 512
#: The curated set of Rust: the crates that every script may use, with the version of each.
CRATES: Mapping[str, str] = MappingProxyType({})
_PART = r"[A-Za-z0-9][A-Za-z0-9._-]*+"
#: Of https://docs.npmjs.com: a name with or without a scope.
NPM_NAME = re.compile(rf"(?:@{_PART}/)?{_PART}", re.ASCII)
_NPM_VERSION = r"v?[0-9xX*]++(?:\.[0-9xX*]++){0,2}(?:-[0-9A-Za-z.-]++)?(?:\+[0-9A-Za-z.-]++)?"
_NPM_COMPARATOR = rf"(?:[<>]=?|[=^]|~>?)? ?{_NPM_VERSION}"
_NPM_RANGE = rf"{_NPM_COMPARATOR}(?: (?:(?:\|\||-) )?{_NPM_COMPARATOR})*"
#: A semantic range, or a tag such as `latest`.
NPM_RANGE = re.compile(rf"{_NPM_RANGE}|[A-Za-z][A-Za-z0-9-]*+", re.ASCII)
NPM_NAME_MAX = 214
#: npm takes a version with such an end for the name of a file.
FILES = (".tgz", ".tar", ".tar.gz")
WHERE_FROM = "packages come from the configured registries: no URL, path or git reference is taken"


def checked(package: str) -> str:
    """Return a package that is short, printable ASCII. Raises ValueError."""
    if not 0 < len(package) <= LENGTH_MAX:
        raise ValueError(f"a package has 1 to {LENGTH_MAX} characters")
    if not (package.isascii() and package.isprintable()):
        raise ValueError("a package is printable ASCII")
    return package


def python_package(package: str) -> str:
    """Return the canonical form of a requirement of PEP 508. Raises ValueError."""
    try:
        requirement = Requirement(checked(package))
    except RecursionError as error:
        raise ValueError("the marker is nested too deeply") from error
    if requirement.url is not None:
        raise ValueError(WHERE_FROM)
    requirement.name = canonicalize_name(requirement.name)
    return str(requirement)


def python_versions(given: str) -> str:
    """Return the canonical form of `requires-python`. Raises ValueError."""
    return str(SpecifierSet(checked(given)))


def npm_package(package: str) -> str:
    """Return the canonical form of `name` or `name@range`. Raises ValueError."""
    name, at, versions = checked(package)[1:].partition("@")
    name = package[0] + name
    if not NPM_NAME.fullmatch(name) or len(name) > NPM_NAME_MAX or name.lower() == "node_modules":
        raise ValueError(f"{name!r} is no name of a package; {WHERE_FROM}")
    if not at:
        return name
    versions = " ".join(versions.replace("||", " || ").split())
    if not NPM_RANGE.fullmatch(versions) or versions.lower().endswith(FILES):
        raise ValueError(f"{versions!r} is no range of versions; {WHERE_FROM}")
    return f"{name}@{versions}"


def crate(package: str) -> str:
    """Return a crate of the curated set, `name` or `name@version`. Raises ValueError."""
    name, _, version = checked(package).partition("@")
    if name not in CRATES:
        known = ", ".join(sorted(CRATES)) or "none yet"
        raise ValueError(f"a script in Rust may use the crates of the curated set alone ({known})")
    if version not in ("", "*", CRATES[name]):
        raise ValueError(f"the curated set has {name} {CRATES[name]}: ask for that version, or for *")
    return name


#: By language: what returns the canonical form of a package.
CANONICAL: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {"python": python_package, "nodejs": npm_package, "typescript": npm_package, "rust": crate}
)
