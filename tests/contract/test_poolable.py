"""What the pool expects of a worker, checked with a real one and with the double of the pool's tests."""

from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest

from runtime.executor import Executor
from runtime.languages import LANGUAGES
from runtime.metrics import RuntimeMetrics
from runtime.pool.idle import Poolable
from runtime.settings import Settings
from tests.unit.runtime.process.puppet import Puppet

Start = Callable[[], Poolable]


@pytest.fixture(scope="module", params=["real", "puppet"])
def start(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts workers."""
    if request.param == "puppet":
        yield Puppet
        return
    executor = _executor(tmp_path_factory.mktemp("state"))
    yield executor.worker
    executor.close()


@pytest.fixture
def worker(start: Start) -> Iterator[Poolable]:
    made = start()
    yield made
    made.close()


def test_a_new_one_is_alive_and_blank(worker: Poolable) -> None:
    assert worker.alive
    assert not worker.loaded
    assert worker.resident_bytes == 0


def test_stopped_it_is_alive_and_goes_on_when_told_to(worker: Poolable) -> None:
    worker.suspend()
    worker.suspend()
    assert worker.alive
    worker.resume()
    worker.resume()
    assert worker.alive


@pytest.mark.parametrize("stopped", [False, True])
def test_killed_it_is_soon_known_to_be_dead(worker: Poolable, stopped: bool) -> None:
    if stopped:
        worker.suspend()
    worker.kill()
    with gevent.Timeout(60):
        while worker.alive:
            gevent.sleep(0.005)


def test_closed_it_is_dead(worker: Poolable) -> None:
    worker.close()
    assert not worker.alive


def test_what_comes_after_the_end_does_no_harm(worker: Poolable) -> None:
    worker.close()
    worker.kill()
    worker.close()
    assert not worker.alive


def test_two_are_told_apart(start: Start) -> None:
    one, two = start(), start()
    try:
        assert len({one, two}) == 2
    finally:
        one.close()
        two.close()


def _executor(state: Path) -> Executor:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNTIME_SECRET", "contract-test-secret")
        patch.setenv("STATE_DIR", str(state))
        patch.setenv("WORKERS_RESERVE", "0")
        settings = Settings.from_environment()
    return Executor(LANGUAGES["python"](settings), settings, RuntimeMetrics("python"))
