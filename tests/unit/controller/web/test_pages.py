"""The console and the reference: which files are served, how long they are kept, and what they may do."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from controller.web.pages import TYPES
from tests.unit.controller.web.wsgi import Answer, Functions

HTML = b'<!DOCTYPE html><script src="console/app-1A.js"></script>'
SCRIPT = b"console.log(1);\n" * 100
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> Functions:
    folder = tmp_path_factory.mktemp("built")
    (folder / "assets").mkdir()
    (folder / "index.html").write_bytes(HTML)
    (folder / "assets" / "app-1A.js").write_bytes(SCRIPT)
    (folder / "assets" / "secret.pem").write_bytes(b"secret")
    (folder / "outside.js").write_bytes(b"secret")
    return Functions(console=folder)


def get(functions: Functions, target: str, **headers: Any) -> Answer:
    answer = functions.ask("health", "GET", target, **headers)
    answer.check("GET")
    return answer


def policy(answer: Answer) -> dict[str, list[str]]:
    directives = (one.split() for one in answer.headers["Content-Security-Policy"].split(";"))
    return {name: values for name, *values in directives}


@pytest.mark.covers("pages: files with a hash are kept, the page is not")
def test_the_page_is_asked_for_again_and_its_files_are_kept(functions: Functions) -> None:
    page, script = get(functions, "/console"), get(functions, "/console/app-1A.js")
    assert (page.status, page.body, page.headers["Cache-Control"]) == (200, HTML, "no-cache")
    assert (script.status, script.body) == (200, SCRIPT)
    assert script.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert script.headers["Content-Type"] == "text/javascript; charset=utf-8"
    for answer in (page, script):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("path", ["/console", "/console/app-1A.js", "/docs", "/docs/swagger-ui.css"])
def test_a_file_is_sent_compressed_and_only_when_it_has_changed(functions: Functions, path: str) -> None:
    plain, packed = get(functions, path), get(functions, path, HTTP_ACCEPT_ENCODING="br, gzip")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert packed.headers["ETag"] != plain.headers["ETag"]
    for answer, accepted in ((plain, "identity"), (packed, "gzip")):
        assert "Accept-Encoding" in answer.headers["Vary"]
        known = {"HTTP_IF_NONE_MATCH": answer.headers["ETag"], "HTTP_ACCEPT_ENCODING": accepted}
        again = get(functions, path, **known)
        assert (again.status, again.body) == (304, b"")
        assert get(functions, path, **known | {"HTTP_IF_NONE_MATCH": '"other"'}).status == 200
    refused = get(functions, path, HTTP_ACCEPT_ENCODING="gzip;q=0")
    assert "Content-Encoding" not in refused.headers


@pytest.mark.covers("pages: a page runs its own files alone")
@pytest.mark.parametrize("page", ["/console", "/docs"])
def test_a_page_runs_its_own_files_alone(functions: Functions, page: str) -> None:
    directives = policy(get(functions, page))
    sources = {value for values in directives.values() for value in values}
    assert sources <= {"'none'", "'self'", "data:", "'script'"}
    assert directives["default-src"] == directives["frame-ancestors"] == directives["base-uri"] == ["'none'"]
    assert directives["script-src"] == directives["style-src"] == directives["connect-src"] == ["'self'"]
    if page == "/console":
        assert directives["require-trusted-types-for"] == ["'script'"]


@pytest.mark.covers("pages: no other file is served")
@pytest.mark.parametrize(
    "name",
    [
        "app.js",
        "index.html",
        "secret.pem",
        "outside.js",
        "..%2foutside.js",
        "../outside.js",
        "..%5coutside.js",
        "%2e%2e%2findex.html",
        "assets%2fapp-1A.js",
        "app-1A.js%00",
        "/app-1A.js",
        ".",
        "%2fetc%2fpasswd",
    ],
)
def test_no_other_file_is_served(functions: Functions, name: str) -> None:
    assert get(functions, f"/console/{name}").status == 404
    assert get(functions, f"/docs/{name}").status == 404


def test_addresses_with_a_slash_lead_to_those_without(functions: Functions) -> None:
    for page in ("console", "docs"):
        answer = get(functions, f"/{page}/")
        assert (answer.status, answer.headers["Location"]) == (308, f"../{page}")


def test_without_a_console_there_is_none(tmp_path: Path) -> None:
    functions = Functions(console=tmp_path)
    assert get(functions, "/console").status == 404


@pytest.mark.covers("pages: the root leads browsers to the console")
@pytest.mark.parametrize(
    ("accept", "led"),
    [
        (BROWSER, True),
        ("text/html", True),
        (None, False),
        ("*/*", False),
        ("application/json", False),
        ("application/json, text/html;q=0.9", False),
        ("text/html;q=0", False),
        ("", False),
    ],
)
def test_the_root_leads_a_browser_to_the_console_and_tells_programs_the_health(
    functions: Functions, accept: str | None, led: bool
) -> None:
    answer = get(functions, "/", HTTP_ACCEPT=accept)
    if led:
        assert (answer.status, answer.headers["Location"]) == (303, "console")
    else:
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert get(functions, "/health", HTTP_ACCEPT=accept).status == 200


def test_every_type_of_file_is_packed_with_the_library() -> None:
    configuration = (Path(__file__).parents[4] / "pyproject.toml").read_text()
    assert [suffix for suffix in TYPES if f'"*{suffix}"' not in configuration] == []
