"""The pages: links lead somewhere, what they name exists, none is left out, those made of code are current."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.state import ROOT
from tools.docs import configuration
from tools.docs.packages.page import Call, Row, calls, page

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


def test_the_page_is_current() -> None:
    assert (ROOT / "docs" / "configuration.md").read_text() == configuration.page(), "run make configuration"


def test_the_example_is_current() -> None:
    assert (ROOT / ".env.example").read_text() == configuration.example(), "run make configuration"


@pytest.mark.parametrize(
    "row",
    [
        "| `CACHE_TTL` | `3600` | s | a whole number of at least 1 | Lifetime of a cached result, in seconds. |",
        "| `BODY_MAX_BYTES` | `8388608` (8 MiB) | bytes | a whole number of at least 1 | Largest request body,",
        "| `SPOOL_DIR` | the system's temporary folder |  | a path |",
        "| `JWT_ISSUER` | unset |  | a text |",
        "| `RUNTIME_SECRET` | required |  | a text of at least 16 characters |",
        "| `PACKAGES` | empty |  | a list separated by commas, each entry an existing folder |",
    ],
)
def test_a_row_has_default_unit_range_and_meaning(row: str) -> None:
    assert row in configuration.page()


def test_the_values_in_effect_have_their_secrets_masked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SESSION_TTL", raising=False)
    monkeypatch.setenv("JWT_SECRET", "s3cret" * 8)
    monkeypatch.setenv("POSTGRES_URL", "postgres://user:s3cret@there/logs")
    monkeypatch.setenv("CACHE_TTL", "7")
    lines = list(configuration.effective(tmp_path / "absent"))
    assert "CACHE_TTL=7  # set" in lines
    assert "JWT_SECRET=********  # set" in lines
    assert "POSTGRES_URL=postgres://user:********@there/logs  # set" in lines
    assert "SESSION_TTL=7200" in lines
    assert "s3cret" not in "".join(lines)


def test_the_file_of_defaults_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SESSION_TTL", raising=False)
    dotenv = tmp_path / ".env"
    dotenv.write_text("SESSION_TTL=60\n")
    assert "SESSION_TTL=60  # set" in configuration.effective(dotenv)


CALL = Call("shapes", "computes an area", "result = 1", 1)


def rows(title: str) -> list[list[str]]:
    """The cells of a table of the page."""
    section = re.split(r"^## ", (ROOT / "docs" / "popular-packages.md").read_text(), flags=re.MULTILINE)
    table = next(part for part in section if part.startswith(title))
    lines = [line for line in table.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


@pytest.mark.parametrize(
    ("language", "title", "tried", "working"), [("python", "Python", 100, 95), ("nodejs", "Node.js", 60, 55)]
)
def test_the_page_has_each_call(language: str, title: str, tried: int, working: int) -> None:
    table = rows(title)
    assert [(row[0], row[2]) for row in table] == [
        (f"`{call.package}`", call.does) for call in calls(language)
    ], "run make packages-table"
    assert len(table) >= tried
    assert sum(row[3] == "works" for row in table) >= working


def test_each_row_has_a_version() -> None:
    assert [row[0] for title in ("Python", "Node.js") for row in rows(title) if not row[1]] == []


def test_a_reason_is_one_cell_in_one_line() -> None:
    row = Row(CALL, "1.2.3", "exception: ValueError: a | b\nsecond line")
    assert "| `shapes` | 1.2.3 | computes an area | exception: ValueError: a \\| b second line |\n" in page(
        {"Python": [row]}
    )


def test_a_reason_follows_what_the_call_needs() -> None:
    call = Call("shapes", "computes an area", "result = 1", 1, needs="a process")
    assert "| needs a process: crashed |" in page({"Python": [Row(call, "1.2.3", "crashed")]})


def test_the_heading_counts_what_works() -> None:
    assert "1 of 2 work." in page({"Python": [Row(CALL, "1.2.3", ""), Row(CALL, "1.2.3", "crashed")]})
