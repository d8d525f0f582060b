"""The pages for people: links lead somewhere, what they name exists, and no page or package is left out."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.state import ROOT

FOLDERS = ("bench", "deploy", "docs", "local", "template", "tools")
PAGES = sorted([*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))])
ADR = ROOT / "docs" / "adr"
#: Decisions are history: they may name what is gone.
CURRENT_PAGES = [page for page in PAGES if ADR not in page.parents]
#: Its reader makes the files that it names; a test of that page makes them too.
TUTORIAL = ROOT / "docs" / "adding-a-language.md"
PACKAGES = ("controller", "runtime", "telemetry", "configuration", "framing", "local")
PATH = re.compile(rf"(?:{'|'.join((*PACKAGES, *FOLDERS, 'function', 'sql', 'tests'))})/[\w./-]*")
#: Made by `make`, so not in a fresh checkout.
MADE = ("deploy/secrets",)
FENCED = re.compile(r"^```.*?^```\n?", re.MULTILINE | re.DOTALL)


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _prose(page: Path) -> str:
    return FENCED.sub("", page.read_text())


def _code(page: Path) -> list[str]:
    """Code within a line, and the lines of blocks of shell."""
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", _prose(page))]
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    return spans + [line for block in blocks for line in block.splitlines()]


def _links(page: Path) -> list[str]:
    """What links lead to, other sites left out."""
    prose = re.sub(r"`[^`]+`", "", _prose(page))
    found = re.findall(r"\]\(([^)\s]+)\)", prose)
    return [link for link in found if not re.match(r"[a-z]+:", link)]


def _anchors(page: Path) -> set[str]:
    """The ids that GitHub gives to headings: a repeated one gets a number."""
    found: set[str] = set()
    for title in re.findall(r"^#+ +(.*)$", _prose(page), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).strip().lower()
        slug = re.sub(r"[^\w -]", "", text).replace(" ", "-")
        number = 0
        while (anchor := f"{slug}-{number}" if number else slug) in found:
            number += 1
        found.add(anchor)
    return found


def broken_links(page: Path) -> Iterator[str]:
    """The links of a page that lead to no file, or to no heading in it."""
    for link in _links(page):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            yield link


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    assert list(broken_links(page)) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A title, with `code`\n## Twice\n## Twice\n"
        "[good](#twice-1) [good](page.md#a-title-with-code) [good](https://example.com/#x) `[code](nowhere)`\n"
        "[bad](nowhere.md) [bad](#thrice)\n"
        "```\n[code](nowhere)\n```\n"
    )

    assert list(broken_links(page)) == ["nowhere.md", "#thrice"]


def test_the_index_names_every_page() -> None:
    index = ROOT / "docs" / "index.md"
    named = {(index.parent / link.partition("#")[0]).resolve() for link in _links(index)}
    pages = {page for page in CURRENT_PAGES if page.parent in (ROOT, ROOT / "docs") and page != index}

    assert {_name(page) for page in (pages | {ADR}) - named} == set()


def test_the_architecture_names_every_package() -> None:
    page = ROOT / "docs" / "architecture.md"
    packages = {
        f"{init.parent.relative_to(ROOT)}/"
        for package in PACKAGES
        for init in (ROOT / package).rglob("__init__.py")
    }

    assert packages - {f"{package}/" for package in PACKAGES} - set(_code(page)) == set()
    assert all(f"{package}/" in page.read_text() for package in PACKAGES)


@pytest.mark.parametrize("page", [page for page in CURRENT_PAGES if page != TUTORIAL], ids=_name)
def test_paths_that_a_page_names_exist(page: Path) -> None:
    named = {code for code in _code(page) if PATH.fullmatch(code) and not code.startswith(MADE)}

    assert {path for path in named if not (ROOT / path).exists()} == set()


@pytest.mark.parametrize("page", CURRENT_PAGES, ids=_name)
def test_targets_of_make_that_a_page_names_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {match[1] for code in _code(page) if (match := re.search(r"\bmake (?:-s )?([a-z-]+)", code))}

    assert named <= targets
