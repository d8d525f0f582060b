"""Environments, their parts and the locks of declarations: in memory and in PostgreSQL, and parts in a folder."""

import hashlib
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import pytest

from controller.database.environments import PostgresEnvironments
from controller.database.folder_parts import FolderParts
from controller.database.memory_environments import MemoryEnvironments
from controller.database.postgres import Postgres
from controller.models.environments import BuildState, Built, Environment, KeptLock, Resolved
from controller.models.registered import LanguageTitle
from controller.models.stored import FunctionContent
from controller.registry.rows import EnvironmentRows, PartStore
from controller.registry.writes import function_writes, script_writes, session_writes
from tests.calls import SCRIPT, new_session
from tests.contract.tables import NAME, Tables, begin, statements

#: Longer than any eviction waits, in seconds.
LONG = 3600
DECLARATION = "d" * 64


class Rows(EnvironmentRows, PartStore, Protocol):
    """All that is asked of the tables."""


class Clock:
    """Goes on when a test says so."""

    def __init__(self) -> None:
        self.now = 1e9

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rows(postgres: Postgres | None, clock: Clock) -> Rows:
    return MemoryEnvironments(clock) if postgres is None else PostgresEnvironments(postgres)


@pytest.fixture
def age(postgres: Postgres | None, clock: Clock) -> Callable[[float], None]:
    """Lets seconds pass."""

    def pass_by(seconds: float) -> None:
        clock.now += seconds
        if postgres is not None:
            with postgres.transaction() as opened, opened.cursor() as cursor:
                past = timedelta(seconds=seconds)
                cursor.execute(
                    "UPDATE environments SET used_at = used_at - %s, lease = lease - %s", (past, past)
                )
                cursor.execute("UPDATE kept_locks SET lease = lease - %s", (past,))

    return pass_by


def put(rows: Rows, lock: str | None = None) -> Environment:
    packages = [{"name": "a", "version": "1"}]
    made = Environment.of("python", Resolved(lock or str(uuid.uuid4()), "3.11", "linux", packages))
    rows.put_environment(made)
    return made


def build(rows: Rows, stored: int = 10, name: str = "b") -> str:
    digest = put(rows).digest
    assert rows.claim_build(digest, name, LONG)
    assert rows.put_part(digest, name, 0, b"0" * stored)
    packages = [{"name": "a", "version": "1", "bytes": 5, "licence": "MIT"}]
    assert rows.finish_build(digest, name, Built(packages, 5, 7, 1, stored))
    return digest


def test_a_digest_is_of_language_version_platform_and_lock() -> None:
    resolved = Resolved("a==1\n", "3.11", "linux-x86_64-glibc2.36", [])
    one = Environment.of("python", resolved).digest
    text = '[1,"python","3.11","linux-x86_64-glibc2.36","a==1\\n"]'
    assert one == hashlib.sha256(text.encode()).hexdigest()
    others = [
        resolved._replace(lock="a==2\n"),
        resolved._replace(version="3.12"),
        resolved._replace(platform="x"),
    ]
    digests = {
        one,
        Environment.of("nodejs", resolved).digest,
        *(Environment.of("python", o).digest for o in others),
    }
    assert len(digests) == 5


def test_an_environment_is_found_as_it_was_resolved_and_built(rows: Rows) -> None:
    made = put(rows)
    rows.put_environment(made)
    assert rows.environment(made.digest) == made
    assert rows.environment("0" * 64) is None
    assert rows.build_state("0" * 64) is None
    found = rows.environment(build(rows))
    assert found is not None
    assert (found.state, found.bytes, found.built_ms, found.packages[0]["licence"]) == ("ready", 5, 7, "MIT")


def test_one_builds_at_a_time_and_a_dead_one_is_replaced(rows: Rows, age: Callable[[float], None]) -> None:
    digest = put(rows).digest
    assert rows.claim_build(digest, "one", 60)
    assert not rows.claim_build(digest, "two", 60)
    age(50)
    assert rows.renew_build(digest, "one", 60)
    age(50)
    assert not rows.claim_build(digest, "two", 60)
    age(50)
    assert rows.claim_build(digest, "two", 60)
    for ended in (
        rows.renew_build(digest, "one", 60),
        rows.put_part(digest, "one", 0, b"x"),
        rows.finish_build(digest, "one", Built([], 1, 1, 1, 1)),
    ):
        assert not ended
    rows.fail_build(digest, "one", {"code": "X"})
    assert rows.build_state(digest) == BuildState("building", "two", None)
    assert rows.use_environment(digest) is None


def test_a_failure_is_told_and_may_be_tried_again(rows: Rows) -> None:
    digest = put(rows).digest
    rows.claim_build(digest, "one", 60)
    rows.fail_build(digest, "one", {"code": "X", "details": {"a": 1}})
    assert rows.build_state(digest) == BuildState("failed", "one", {"code": "X", "details": {"a": 1}})
    assert rows.claim_build(digest, "two", 60)
    assert rows.build_state(digest) == BuildState("building", "two", None)


def test_what_is_ready_is_not_built_again(rows: Rows) -> None:
    digest = build(rows)
    assert not rows.claim_build(digest, "two", 60)
    assert rows.use_environment(digest) == "b"
    assert rows.part(digest, "b", 0) == b"0" * 10
    assert rows.part(digest, "other", 0) is rows.part(digest, "b", 1) is None
    rows.drop_parts(digest, "other")
    assert rows.part(digest, "b", 0) is not None
    rows.drop_parts(digest, "b")
    assert rows.part(digest, "b", 0) is None


def test_what_lost_a_part_is_built_again(rows: Rows) -> None:
    digest = build(rows)
    rows.lose_part(digest, "b", 1)
    rows.lose_part(digest, "other", 0)
    assert rows.use_environment(digest) == "b"
    rows.lose_part(digest, "b", 0)
    assert rows.use_environment(digest) is None
    assert rows.claim_build(digest, "two", 60)


def test_one_resolves_at_a_time_and_the_lock_is_kept(
    rows: Rows, age: Callable[[float], None], owner: str
) -> None:
    assert rows.kept_lock(owner, DECLARATION) is None
    assert rows.claim_lock(owner, DECLARATION, 60)
    assert not rows.claim_lock(owner, DECLARATION, 60)
    assert rows.claim_lock(f"{owner}-2", DECLARATION, 60)
    assert rows.kept_lock(owner, DECLARATION) is None
    age(50)
    assert rows.renew_lock(owner, DECLARATION, 60)
    age(50)
    assert not rows.claim_lock(owner, DECLARATION, 60)
    rows.release_lock(owner, DECLARATION)
    assert rows.claim_lock(owner, DECLARATION, 60)
    age(70)
    assert rows.claim_lock(owner, DECLARATION, 60)
    first, second = put(rows), put(rows)
    for made in (first, second):
        rows.keep_lock(owner, DECLARATION, made.digest)
        assert rows.kept_lock(owner, DECLARATION) == KeptLock(made.digest, "absent")
    rows.release_lock(owner, DECLARATION)
    assert not rows.claim_lock(owner, DECLARATION, 60)
    assert not rows.renew_lock(owner, DECLARATION, 60)
    assert rows.kept_lock(owner, DECLARATION) == KeptLock(second.digest, "absent")


def test_those_used_longest_ago_are_evicted_and_none_in_use(rows: Rows, age: Callable[[float], None]) -> None:
    age(LONG)
    rows.evict_environments(0, 1000)
    digests = []
    for _ in range(4):
        digests.append(build(rows, stored=10))
        age(LONG)
    rows.use_environment(digests[0])
    before = rows.environments_bytes()
    assert rows.evict_environments(before, 1000) == []
    assert rows.evict_environments(before - 20, 1)[0] in {(digest, "b") for digest in digests[1:3]}
    assert rows.evict_environments(before - 20, 1000)[0] in {(digest, "b") for digest in digests[1:3]}
    assert rows.environments_bytes() == before - 20
    assert rows.use_environment(digests[0]) == rows.use_environment(digests[3]) == "b"
    state = rows.build_state(digests[1])
    assert state is not None and state.state == "absent"
    assert rows.evict_environments(0, 1000) == []


def test_a_build_is_evicted_only_when_its_builder_is_long_gone(
    rows: Rows, age: Callable[[float], None]
) -> None:
    digest = put(rows).digest
    rows.claim_build(digest, "one", 60)
    age(120)
    assert (digest, "one") not in rows.evict_environments(0, 1000)
    age(LONG)
    assert (digest, "one") in rows.evict_environments(0, 1000)


def test_owners_of_a_session_or_a_version_may_see_an_environment(tables: Tables, owner: str) -> None:
    one, two = uuid.uuid4().hex * 2, uuid.uuid4().hex * 2
    assert not tables.names_environment(owner, one)
    session = begin(tables, new_session(owner, environment=one))
    stored = tables.session(session.request_id)
    assert stored is not None and stored.session.environment == one
    content = FunctionContent(SCRIPT.hash, {}, packages=["a", "b"], environment=two)
    tables.put_version(NAME, owner, 0, content, statements(script_writes(SCRIPT)))
    assert tables.own_content(NAME, owner) == content
    tables.put_version(NAME, owner, 1, FunctionContent(SCRIPT.hash, {}), [])
    assert tables.names_environment(owner, one) and tables.names_environment(owner, two)
    assert not tables.names_environment(f"{owner}-2", one)
    assert not tables.names_environment(f"{owner}-2", two)


def test_registering_with_other_packages_makes_a_version(tables: Tables, owner: str) -> None:
    name, digest = LanguageTitle("python", "packed"), uuid.uuid4().hex * 2
    for packages, environment, newest in (
        ([], None, 1),
        (["a"], digest, 2),
        (["a"], digest, 2),
        ([], None, 3),
    ):
        session = new_session(owner, name=name, environment=environment)
        writes = [*script_writes(SCRIPT), *function_writes(session, packages)]
        tables.write_together(statements(writes))
        content, targets = tables.own_content(name, owner), tables.function_targets(name, owner)
        assert content is not None and targets is not None
        assert (content.packages, content.environment, targets.newest) == (packages, environment, newest)
        found = tables.function_version(targets.function_id, newest)
        assert found is not None and found[0].content == content


def test_statements_of_an_earlier_release_name_no_packages(tables: Tables, owner: str) -> None:
    session = new_session(owner)
    writes = statements([*script_writes(SCRIPT), *function_writes(session), *session_writes(session)])
    old = [
        (query, {k: v for k, v in parameters.items() if k not in ("packages", "environment")})
        for query, parameters in writes
    ]
    tables.write_together(old)
    content, stored = tables.own_content(session.name, owner), tables.session(session.request_id)
    assert content is not None and stored is not None
    assert (content.packages, content.environment, stored.session.environment) == ([], None, None)


def test_parts_in_a_folder_are_of_their_build(tmp_path: Path) -> None:
    parts: PartStore = FolderParts(tmp_path / "environments")
    digest = "a" * 64
    assert parts.put_part(digest, "one", 0, b"x") and parts.put_part(digest, "two", 0, b"y")
    assert (parts.part(digest, "one", 0), parts.part(digest, "two", 0)) == (b"x", b"y")
    assert parts.part(digest, "one", 1) is None
    for build in ("one", "one", "two"):
        parts.drop_parts(digest, build)
        assert parts.part(digest, build, 0) is None
    assert list((tmp_path / "environments").iterdir()) == []
