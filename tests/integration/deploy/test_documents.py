"""docs/deployment.md and docs/operations.md: what they name exists, and what they tell to run can be run."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import closing
from fnmatch import fnmatch
from itertools import chain
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
from psycopg2.extensions import connection

from configuration.variable import variables
from controller.database.migrate import migrate
from local.state import ROOT
from local.stores.postgres import PostgresServer, program
from tests.databases import Database
from tests.integration.deploy.kubernetes import stack
from tools.docs.configuration import PARTS

PAGES = ("docs/deployment.md", "docs/operations.md")
KUBERNETES = ROOT / "deploy" / "kubernetes"
OTHERS_VARIABLES = {"REGISTRY", "TAG", "OPENFAAS_URL", "WEB_CONCURRENCY", "ADDRESS", "TOKEN", "REQUEST_ID"}
"""Of faas-cli and gunicorn, and those that a page sets itself."""


def text(page: str) -> str:
    return (ROOT / page).read_text()


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text(page), re.MULTILINE | re.DOTALL)


def spans(page: str) -> list[str]:
    """Code within a line."""
    prose = re.sub(r"^```.*?^```", "", text(page), flags=re.MULTILINE | re.DOTALL)
    return [" ".join(one.split()) for one in re.findall(r"`([^`]+)`", prose)]


def commands(page: str, program: str) -> Iterator[list[str]]:
    """The words of each call of a program, its continued lines included."""
    for block in blocks(page, "sh"):
        lexer = shlex.shlex(block.replace("\\\n", " "), posix=True, punctuation_chars="|&;()\n")
        lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t", True, ""
        calls: list[list[str]] = [[]]
        for word in lexer:
            if set(word) <= set("|&;()\n"):
                calls.append([])
            else:
                calls[-1].append(word)
        yield from (call[1:] for call in calls if call and call[0] == program)


@pytest.mark.parametrize("page", PAGES)
def test_files_are_there(page: str) -> None:
    starts = ("deploy/", "docs/", "base/", "overlays/", "sql/", "controller/", "runtime/", "template/")
    for name in spans(page):
        if name.startswith(starts) and " " not in name:
            assert (ROOT / name).exists() or (KUBERNETES / name).exists(), name
    for call in commands(page, "kubectl"):
        if "-k" in call:
            assert (ROOT / call[call.index("-k") + 1] / "kustomization.yaml").is_file(), call


@pytest.mark.parametrize("page", PAGES)
def test_variables_are_read_by_somebody(page: str) -> None:
    read = {each.name for settings in PARTS.values() for each in variables(settings)} | OTHERS_VARIABLES
    codes = set(
        re.findall(r'code(?:: ClassVar\[str\])? = "(\w+)"', (ROOT / "controller/errors.py").read_text())
    )
    named = {span for span in spans(page) if re.fullmatch(r"[A-Z][A-Z_]*_[A-Z_]+", span)}
    assert named - codes <= read


def test_metrics_are_collected() -> None:
    collected = text("docs/metrics.md")
    words = re.findall(r"\b(?:lambda_|http_request_duration)\w+", text("docs/operations.md"))
    assert words
    for name in words:
        assert f"`{re.sub('_(count|sum|bucket)$', '', name)}`" in collected, name


def test_every_code_and_every_verdict_is_explained() -> None:
    page = text("docs/operations.md")
    errors = (ROOT / "controller/errors.py").read_text()
    for code in re.findall(r'code(?:: ClassVar\[str\])? = "(\w+)"', errors):
        assert f"| `{code}` |" in page, code


def test_lines_of_the_log_are_written_by_somebody() -> None:
    """Words in code with an ellipsis are what the log says, with its values left out."""
    sources = "".join(
        path.read_text()
        for folder in ("controller", "runtime", "template")
        for path in sorted((ROOT / folder).rglob("*.py"))
    )
    told = [span for page in PAGES for span in spans(page) if "…" in span and " " in span]
    assert len(told) > 5
    for line in told:
        for words in line.split("…"):
            assert words.strip(" .:") in sources, line


def test_faas_cli_knows_its_options(faas_cli: Path) -> None:
    calls = list(chain.from_iterable(commands(page, "faas-cli") for page in PAGES))
    assert len(calls) > 8
    for call in calls:
        verbs = [word for word in call if re.fullmatch("[a-z]+", word)]
        verb = verbs[:2] if verbs[0] == "secret" else verbs[:1]
        told = subprocess.run([faas_cli, *verb, "--help"], capture_output=True, text=True, check=True).stdout
        assert f"faas-cli {' '.join(verb)}" in told
        for option in (word.partition("=")[0] for word in call if word.startswith("--")):
            assert re.search(rf"{option}\b", told), f"{verb}: {option}"


def test_openfaas_does_not_scale_what_kubernetes_scales() -> None:
    """The page's way for production, where the component autoscaling is: every function, and each without it."""
    every, *chosen = [call for call in commands("docs/deployment.md", "faas-cli") if call[0] == "deploy"]
    assert every == ["deploy", "--yaml", "stack.yml"]
    patterns = [
        call[call.index(how) + 1] for call in chosen for how in ("--filter", "--regex") if how in call
    ]
    assert len(patterns) == len(chosen)
    for name in stack.functions():
        assert sum(fnmatch(name, one) or bool(re.fullmatch(one, name)) for one in patterns) == 1, name
    assert all("com.openfaas.scale.factor=0" in call for call in chosen)


@pytest.mark.parametrize("query", blocks("docs/operations.md", "sql"))
def test_queries_fit_the_schema(postgres_database: Database, query: str) -> None:
    opened = psycopg2.connect(postgres_database.url)
    try:
        with opened.cursor() as cursor:
            cursor.execute(query)
            assert cursor.description
    finally:
        opened.close()


TABLES = ("functions", "scripts", "function_versions", "sessions", "meta.schema_version")
SESSION = """
INSERT INTO sessions (
    request_id, user_id, language, title, script_hash, compile_options, context, isolation, timeout_ms,
    retain_session, created_at, expires_at
)
SELECT 'kept', 'alice', language, title, script_hash, '{}', '{}', 'session', 1000, true, now(), now() FROM functions
LIMIT 1
"""


def run(name: str, url: str, folder: Path) -> None:
    """The page's one call of a program, for this database."""
    [words] = commands("docs/deployment.md", name)
    arguments = [word.replace("$POSTGRES_URL", url) for word in words]
    done = subprocess.run(
        [program(name), *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr


def connected(url: str) -> connection:
    opened: connection = psycopg2.connect(url)
    opened.autocommit = True
    return opened


def counts(opened: connection) -> dict[str, int]:
    with opened.cursor() as cursor:
        found = {}
        for table in TABLES:
            cursor.execute(f"SELECT count(*) FROM {table}")
            [[found[table]]] = cursor.fetchall()
        return found


def test_a_dump_brings_everything_back(own_postgres_server: PostgresServer, tmp_path: Path) -> None:
    with closing(connected(own_postgres_server.url)) as opened, opened.cursor() as cursor:
        cursor.execute(SESSION)
        cursor.execute("CREATE DATABASE restored")
        before = counts(opened)
    run("pg_dump", own_postgres_server.url, tmp_path)
    restored = urlsplit(own_postgres_server.url)._replace(path="/restored").geturl()
    run("pg_restore", restored, tmp_path)
    with closing(connected(restored)) as opened:
        assert counts(opened) == before
        assert before["sessions"] == 1
        assert migrate(opened, ROOT / "sql") == []
