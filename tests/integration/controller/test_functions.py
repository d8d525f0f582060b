"""FunctionCatalog on a real PostgreSQL: owners, shadows, filters, pages, versions."""

import uuid
from typing import Any

import pytest

from controller.database.records import function_records, script_records
from controller.errors import NotFound
from controller.functions import FunctionCatalog
from controller.models import LanguageTitle, Script
from tests.integration.controller.parts import Parts, new_session


def register(parts: Parts, owner: str, name: LanguageTitle, text: str) -> None:
    script = Script.of(text)
    session = new_session(owner, name=name, script_hash=script.hash)
    parts.logger.record(*script_records(script), *function_records(session))
    parts.logger.flush()


def query(**changes: Any) -> dict[str, Any]:
    return {"language": None, "user_id": None, "type": None, "page": 1, "per_page": 20} | changes


@pytest.fixture
def owner() -> str:
    return f"user-{uuid.uuid4()}"


@pytest.fixture
def catalog(parts: Parts) -> FunctionCatalog:
    return FunctionCatalog(parts.postgres)


def titles(page: dict[str, Any]) -> list[str]:
    return [function["language_title"] for function in page["functions"]]


def test_everybody_sees_the_predefined_ones(catalog: FunctionCatalog, owner: str) -> None:
    page = catalog.page(owner, query())
    assert titles(page) == ["nodejs-calculator", "python-text_processor", "rust-data_validator"]
    assert {function["type"] for function in page["functions"]} == {"predefined"}


def test_a_user_sees_their_own_and_nobody_elses(catalog: FunctionCatalog, parts: Parts, owner: str) -> None:
    mine = LanguageTitle("python", "mine")
    register(parts, owner, mine, "result = 1")
    assert "python-mine" in titles(catalog.page(owner, query()))
    assert "python-mine" not in titles(catalog.page("somebody", query()))
    assert catalog.script(mine, owner).content == "result = 1"
    with pytest.raises(NotFound):
        catalog.script(mine, "somebody")


def test_ones_own_shadows_a_predefined_one(catalog: FunctionCatalog, parts: Parts, owner: str) -> None:
    name = LanguageTitle("nodejs", "calculator")
    register(parts, owner, name, "return 1")
    page = catalog.page(owner, query(language="nodejs"))
    assert [(f["title"], f["type"]) for f in page["functions"]] == [("calculator", "dynamic")]
    assert catalog.page(owner, query(language="nodejs", type="predefined"))["total"] == 0
    assert catalog.detail(name, owner)["script_content"] == "return 1"
    assert "script_content" not in catalog.detail(name, "somebody")


def test_filters_and_pages(catalog: FunctionCatalog, parts: Parts, owner: str) -> None:
    for number in range(5):
        register(parts, owner, LanguageTitle("python", f"f{number}"), f"result = {number}")
    own = catalog.page(owner, query(user_id=owner, per_page=2, page=2))
    assert (own["total"], titles(own)) == (5, ["python-f2", "python-f3"])
    beyond = catalog.page(owner, query(user_id=owner, per_page=2, page=9))
    assert (beyond["total"], beyond["functions"]) == (5, [])


def test_another_text_is_another_version(catalog: FunctionCatalog, parts: Parts, owner: str) -> None:
    name = LanguageTitle("python", "changing")
    versions = []
    for text in ("result = 1", "result = 1", "result = 2"):
        register(parts, owner, name, text)
        versions.append(catalog.detail(name, owner)["version"])
    assert versions == [1, 1, 2]


def test_an_unknown_function_is_not_found(catalog: FunctionCatalog, owner: str) -> None:
    with pytest.raises(NotFound, match="python-nothing"):
        catalog.detail(LanguageTitle("python", "nothing"), owner)
