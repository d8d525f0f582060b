"""FunctionCatalog on a real PostgreSQL: owners, shadows, filters, pages, versions."""

import uuid
from typing import Any

import pytest
from msgspec import UNSET

from controller.errors import NotFound, RateLimited
from controller.limits.quotas import Quotas
from controller.models.registered import FunctionRef, LanguageTitle, Script
from controller.models.requests import FunctionsQuery
from controller.models.responses import FunctionPage
from controller.models.stored import FunctionFilter
from controller.registry.functions import FunctionCatalog
from controller.registry.writes import function_writes, script_writes
from tests.calls import new_session
from tests.integration.controller.parts import Parts


def register(parts: Parts, owner: str, name: LanguageTitle, text: str) -> None:
    script = Script.of(text)
    session = new_session(owner, name=name, script_hash=script.hash)
    parts.logger.record(*script_writes(script), *function_writes(session))
    parts.logger.flush()


def query(page: int | None = 1, per_page: int = 20, **chosen: Any) -> FunctionsQuery:
    return FunctionsQuery(FunctionFilter(**chosen), per_page, page)


@pytest.fixture
def owner() -> str:
    return f"user-{uuid.uuid4()}"


@pytest.fixture
def catalog(parts: Parts) -> FunctionCatalog:
    return FunctionCatalog(parts.tables)


def titles(page: FunctionPage) -> list[str]:
    return [function.language_title for function in page.functions]


def test_all_users_see_predefined_functions(catalog: FunctionCatalog, owner: str) -> None:
    page = catalog.page(owner, query())
    assert titles(page) == ["nodejs-calculator", "python-text_processor", "rust-data_validator"]
    assert {function.type for function in page.functions} == {"predefined"}


def test_a_user_sees_only_their_own_functions(catalog: FunctionCatalog, parts: Parts, owner: str) -> None:
    mine = LanguageTitle("python", "mine")
    register(parts, owner, mine, "result = 1")
    assert "python-mine" in titles(catalog.page(owner, query()))
    assert "python-mine" not in titles(catalog.page("somebody", query()))
    assert catalog.registered(FunctionRef(mine), owner).script.content == "result = 1"
    with pytest.raises(NotFound):
        catalog.registered(FunctionRef(mine), "somebody")


def test_ones_own_shadows_a_predefined_one(catalog: FunctionCatalog, parts: Parts, owner: str) -> None:
    name = LanguageTitle("nodejs", "calculator")
    register(parts, owner, name, "return 1")
    page = catalog.page(owner, query(language="nodejs"))
    assert [(f.title, f.type) for f in page.functions] == [("calculator", "dynamic")]
    assert catalog.page(owner, query(language="nodejs", type="predefined")).total == 0
    assert catalog.detail(FunctionRef(name), owner).script_content == "return 1"
    assert catalog.detail(FunctionRef(name), "somebody").script_content is UNSET


def test_filters_and_pages(catalog: FunctionCatalog, parts: Parts, owner: str) -> None:
    for number in range(5):
        register(parts, owner, LanguageTitle("python", f"f{number}"), f"result = {number}")
    own = catalog.page(owner, query(user_id=owner, per_page=2, page=2))
    assert (own.total, titles(own)) == (5, ["python-f2", "python-f3"])
    beyond = catalog.page(owner, query(user_id=owner, per_page=2, page=9))
    assert (beyond.total, beyond.functions) == (5, [])


def test_another_text_is_another_version(catalog: FunctionCatalog, parts: Parts, owner: str) -> None:
    name = LanguageTitle("python", "changing")
    versions = []
    for text in ("result = 1", "result = 1", "result = 2"):
        register(parts, owner, name, text)
        versions.append(catalog.detail(FunctionRef(name), owner).version)
    assert versions == [1, 1, 2]


def test_an_unknown_function_is_not_found(catalog: FunctionCatalog, owner: str) -> None:
    with pytest.raises(NotFound, match="python-nothing"):
        catalog.detail(FunctionRef(LanguageTitle("python", "nothing")), owner)


def test_a_deleted_function_is_gone_and_its_versions_stay(
    catalog: FunctionCatalog, parts: Parts, owner: str
) -> None:
    name = LanguageTitle("python", "ending")
    for text in ("result = 1", "result = 2"):
        register(parts, owner, name, text)
    catalog.require_own(name, owner)
    catalog.delete(name, owner)
    for look in (catalog.detail, catalog.registered):
        with pytest.raises(NotFound):
            look(FunctionRef(name), owner)
    for change in (catalog.require_own, catalog.delete):
        with pytest.raises(NotFound):
            change(name, owner)
    with parts.postgres.transaction() as opened, opened.cursor() as cursor:
        cursor.execute("SELECT version FROM function_versions WHERE user_id = %s ORDER BY version", (owner,))
        assert [dict(row)["version"] for row in cursor.fetchall()] == [1, 2]
        cursor.execute(
            "UPDATE function_versions SET deleted_at = now() - interval '31 days' WHERE user_id = %s",
            (owner,),
        )
    assert catalog.clean_up() == 2


def test_a_function_may_be_registered_again_after_its_end(
    catalog: FunctionCatalog, parts: Parts, owner: str
) -> None:
    name = LanguageTitle("python", "again")
    register(parts, owner, name, "result = 1")
    catalog.delete(name, owner)
    register(parts, owner, name, "result = 2")
    assert catalog.detail(FunctionRef(name), owner).version == 2


def test_the_end_of_an_own_function_shows_the_predefined_one(
    catalog: FunctionCatalog, parts: Parts, owner: str
) -> None:
    name = LanguageTitle("nodejs", "calculator")
    with pytest.raises(NotFound):
        catalog.require_own(name, owner)
    register(parts, owner, name, "return 1")
    assert catalog.registered(FunctionRef(name), owner).params_schema is None
    catalog.delete(name, owner)
    assert "operation" in str(catalog.registered(FunctionRef(name), owner).params_schema)


def test_quotas_count_what_is_live(parts: Parts, owner: str) -> None:
    quotas = Quotas(parts.tables, sessions_max=2, functions_max=1)
    name = LanguageTitle("python", "first")
    quotas.check(owner, name, registers=True)
    register(parts, owner, name, "result = 1")
    quotas.check(owner, name, registers=True)
    other = LanguageTitle("python", "second")
    quotas.check(owner, other, registers=False)
    with pytest.raises(RateLimited, match="1 registered functions") as refused:
        quotas.check(owner, other, registers=True)
    assert int(refused.value.headers()["Retry-After"]) > 0
    for lives in (600, 600, -1):
        session = parts.begin(new_session(owner, lives=lives))
    quotas.check("somebody", name, registers=False)
    with pytest.raises(RateLimited, match="2 live sessions"):
        quotas.check(owner, name, registers=False)
    assert session.expired()
    Quotas(parts.tables, 0, 0).check(owner, other, registers=True)
