"""Packages of scripts on stores in memory: declared, resolved, built, pinned, sent."""

import gevent
import pytest
from gevent.greenlet import Greenlet

from controller.errors import (
    InitializationFailed,
    InvalidRequest,
    NotFound,
    RuntimeUnavailable,
    StoreUnavailable,
)
from controller.models.registered import LanguageTitle
from controller.models.requests import PackagesAsked
from controller.models.responses import InitializeAnswer
from controller.runtimes.client import PartRefused
from tests.unit.controller.doubles import settle
from tests.unit.controller.heart import ALICE, BOB, PATIENCE, Process, Stores, result

PANDAS = PackagesAsked(["Pandas"])
BLOCK = "# /// script\n# dependencies = ['pandas']\n# ///\nresult = 1"
OTHER = LanguageTitle("python", "other")
TYPESCRIPT = LanguageTitle("typescript", "x")


def ask(process: Process, asked: PackagesAsked = PANDAS) -> "Greenlet[..., InitializeAnswer]":
    greenlet = gevent.spawn(process.initialize, packages=asked)
    settle()
    return greenlet


def test_a_session_has_the_environment_of_its_packages(one: Process, stores: Stores) -> None:
    session = one.begin(packages=PANDAS)
    assert session.environment is not None
    assert stores.packages.resolved == [("python", ("pandas",), None, None)]
    assert stores.runtime.environments == {session.environment: {0, 1, 2}}
    assert result(one.execute(session)) == (1, False)
    assert stores.runtime.sessions[0].environment == session.environment
    content = stores.postgres.own_content(session.name, "alice")
    assert (content.packages, content.environment) == (["pandas"], session.environment)


@pytest.mark.parametrize("again", [PANDAS, PackagesAsked(["pandas"])])
def test_a_known_environment_costs_nothing_but_a_look(
    one: Process, other: Process, stores: Stores, again: PackagesAsked
) -> None:
    first = one.begin(packages=PANDAS)
    stores.environments.asked.clear()
    assert other.begin(packages=again, name=OTHER).environment == first.environment
    assert stores.environments.asked == ["kept_lock"]
    assert (len(stores.packages.resolved), len(stores.packages.built)) == (1, 1)
    assert other.sample("lambda_environments_asked_total", language="python", result="hit") == 1
    assert one.begin(packages=again).environment == first.environment
    assert stores.environments.asked == ["kept_lock"]


def test_without_packages_no_store_is_asked_for_environments(one: Process, stores: Stores) -> None:
    session = one.begin()
    one.execute(session)
    one.put(script="result = 2")
    assert session.environment is None
    assert stores.environments.asked == []


@pytest.mark.covers("packages: one build for all who ask")
def test_all_who_ask_share_a_build_over_all_processes(one: Process, other: Process, stores: Stores) -> None:
    stores.packages.released.clear()
    asked = [ask(process) for process in (one, other) for _ in range(10)]
    asked.append(gevent.spawn(other.initialize, packages=PANDAS, identity=BOB))
    stores.packages.released.set()
    gevent.joinall(asked, timeout=PATIENCE, raise_error=True)
    assert all(greenlet.successful() for greenlet in asked)
    assert len(stores.packages.resolved) == 2  # Alice's and Bob's
    assert len(stores.packages.built) == 1


def test_a_failed_build_is_told_to_all_who_waited_and_tried_again(
    one: Process, other: Process, stores: Stores
) -> None:
    stores.packages.released.clear()
    stores.packages.failures = [InitializationFailed("no wheel", details={"stage": "install"})]
    asked = [ask(process) for process in (one, other, one)]
    stores.packages.released.set()
    gevent.joinall(asked, timeout=PATIENCE)
    # The failure is of the resolution: the other process resolves anew.
    failed = [greenlet.exception for greenlet in asked if greenlet.exception is not None]
    assert all(isinstance(error, InitializationFailed) for error in failed)
    assert len(failed) == 2
    assert one.begin(packages=PANDAS).environment is not None


def test_a_build_that_breaks_is_never_seen_and_built_again(one: Process, stores: Stores) -> None:
    stores.packages.breaks_after = 2
    with pytest.raises(RuntimeUnavailable):
        one.begin(packages=PANDAS)
    assert stores.runtime.environments == {}
    assert one.sample("lambda_environment_builds_total", language="python", code="runtime_unavailable") == 1
    assert one.begin(packages=PANDAS).environment in stores.runtime.environments
    assert len(stores.packages.resolved) == 1


@pytest.mark.covers("packages: no longer than PACKAGES_WAIT, and the work goes on")
def test_a_request_that_waited_long_enough_is_told_and_the_work_goes_on(stores: Stores) -> None:
    process = Process(stores, wait=0.01)
    stores.packages.released.clear()
    with pytest.raises(RuntimeUnavailable) as unfinished:
        process.initialize(packages=PANDAS)
    assert unfinished.value.details == {"environment": None}
    assert unfinished.value.headers()["Retry-After"] == "5"
    stores.packages.released.set()
    settle()
    while not stores.packages.built:
        gevent.sleep(0.01)
    patient = Process(stores)
    assert patient.begin(packages=PANDAS).environment is not None
    assert len(stores.packages.resolved) == 1


@pytest.mark.covers("packages: the same declaration of a user keeps its lock")
def test_another_lock_or_a_refreshed_one_is_another_environment(one: Process, stores: Stores) -> None:
    first = one.begin(packages=PANDAS)
    stores.packages.newest = 2
    locked = PackagesAsked(["pandas"], lock="pandas==0\n")
    assert one.begin(packages=locked).environment not in (None, first.environment)
    assert one.begin(packages=locked).environment == one.begin(packages=locked).environment
    assert len(stores.packages.resolved) == 2
    again = one.begin(packages=PackagesAsked(["pandas"], refresh=True))
    assert again.environment != first.environment
    assert one.begin(packages=PANDAS).environment == again.environment
    assert one.begin(identity=BOB, packages=PANDAS).environment == again.environment


def test_a_lock_alone_is_what_is_installed(one: Process, stores: Stores) -> None:
    assert one.begin(packages=PackagesAsked(lock="a==1\n")).environment is not None
    assert stores.packages.built == ["a==1\n"]


@pytest.mark.covers("packages: declared in the script or in the field, never both")
def test_the_script_declares_and_excludes_the_field(one: Process, stores: Stores) -> None:
    declared = one.begin(script=BLOCK).environment
    assert declared == one.begin(packages=PANDAS).environment
    for packages in (["pandas"], []):
        with pytest.raises(InvalidRequest, match="/context/packages"):
            one.initialize(script=BLOCK, packages=PackagesAsked(packages, place="/context"))
    assert len(stores.packages.built) == 1


def test_a_new_script_keeps_the_fields_packages_alone(one: Process) -> None:
    field = one.begin(packages=PANDAS).environment
    assert one.begin(script="result = 2").environment == field
    assert one.put().environment == field
    assert one.begin(script=BLOCK).environment == field
    assert one.put().packages == ["pandas"]
    assert one.begin(script="result = 3").environment is None
    assert (one.put().packages, one.put().environment) == ([], None)


@pytest.mark.covers("packages: a version and a session pin their environment")
def test_a_version_pins_its_environment(one: Process, other: Process, stores: Stores) -> None:
    made = one.put(script="result = 1", asked=PANDAS)
    assert (made.version, made.packages) == (1, ["pandas"])
    assert one.put(asked=PANDAS).version == other.put(description="").version == 1
    assert one.by_name().version == 1
    assert stores.runtime.sessions[-1].environment == made.environment
    assert other.begin(script=None).environment == made.environment
    stores.packages.newest = 2
    refreshed = one.put(asked=PackagesAsked(refresh=True))
    assert refreshed.version == 2
    assert refreshed.environment not in (None, made.environment)
    assert one.put(description="same packages").environment == refreshed.environment
    assert one.put(asked=PackagesAsked([])).environment is None


@pytest.mark.covers("packages: results of two environments are two")
def test_results_of_two_environments_are_two(one: Process, stores: Stores) -> None:
    first = one.begin(packages=PANDAS)
    stores.packages.newest = 2
    second = one.begin(packages=PackagesAsked(["pandas"], refresh=True))
    assert result(one.execute(first)) == (1, False)
    assert result(one.execute(second)) == (2, False)
    assert result(one.execute(first)) == (1, True)


@pytest.mark.parametrize("refusal", [PartRefused(), None])
@pytest.mark.covers("packages: a runtime that lacks parts gets them")
def test_a_runtime_that_lacks_parts_gets_them(
    one: Process, stores: Stores, refusal: Exception | None
) -> None:
    session = one.begin(packages=PANDAS)
    assert session.environment is not None
    stores.runtime.environments[session.environment] = {0} if refusal is None else set()
    stores.runtime.refusals = [] if refusal is None else [refusal]
    assert result(one.execute(session)) == (1, False)
    assert stores.runtime.environments[session.environment] == {0, 1, 2}
    assert len(stores.packages.built) == 1


def test_a_runtime_that_never_takes_them_is_unavailable(one: Process, stores: Stores) -> None:
    session = one.begin(packages=PANDAS)
    stores.runtime.environments.clear()
    stores.runtime.refusals = [PartRefused()] * 100
    with pytest.raises(RuntimeUnavailable):
        one.execute(session)


@pytest.mark.parametrize("lost", [False, True])
def test_parts_that_made_room_or_are_lost_are_built_again(one: Process, stores: Stores, lost: bool) -> None:
    session = one.begin(packages=PANDAS)
    stores.runtime.environments.clear()
    stores.clock.now += 3600
    assert session.environment is not None
    build = stores.kept.use_environment(session.environment) if lost else None
    if build is None:
        ((digest, build),) = stores.kept.evict_environments(0, 10)
        assert digest == session.environment
    stores.kept.drop_parts(session.environment, build)
    assert result(one.execute(session)) == (1, False)
    assert len(stores.packages.built) == 2
    assert len(stores.packages.resolved) == 1


def test_typescript_has_the_environments_of_nodejs(one: Process, stores: Stores) -> None:
    one.begin(name=TYPESCRIPT, script='import { z } from "npm:zod@^3"')
    assert stores.packages.resolved == [("nodejs", ("zod@^3",), None, None)]
    with pytest.raises(InvalidRequest, match="no lock"):
        one.begin(name=LanguageTitle("rust", "x"), packages=PackagesAsked(lock="x"))


@pytest.mark.covers("packages: switched off with a sentence")
def test_a_deployment_without_packages_says_so(stores: Stores) -> None:
    process = Process(stores, refusal="switched off")
    with pytest.raises(InitializationFailed, match="switched off") as refused:
        process.begin(script=BLOCK)
    assert refused.value.details["stage"] == "resolve"
    assert process.begin(script="# /// script\n# dependencies = []\n# ///\n").environment is None


def test_without_postgres_a_script_with_packages_begins_no_session(one: Process, stores: Stores) -> None:
    stores.environments.away = True
    with pytest.raises(StoreUnavailable):
        one.begin(packages=PANDAS)
    assert one.begin().environment is None


@pytest.mark.covers("packages: owners alone see an environment")
def test_owners_alone_see_an_environment(one: Process) -> None:
    session = one.begin(identity=ALICE, packages=PANDAS)
    assert session.environment is not None
    answer, language = one.catalog.describe(session.environment, "alice")
    assert (answer.digest, answer.state, answer.lock, language) == (
        session.environment,
        "ready",
        "pandas==1\n",
        "python",
    )
    with pytest.raises(NotFound):
        one.catalog.describe(session.environment, "bob")
