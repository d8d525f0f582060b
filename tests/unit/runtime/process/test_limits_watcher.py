"""How soon a process is looked at again, by the memory that it took."""

from pathlib import Path
from time import monotonic

import gevent
import pytest

from runtime.process.limits_watcher import INTERVAL, Limits, LimitsWatcher, Watch
from tests.unit.runtime.process.double import DoubleProcess

MEBIBYTE = 1 << 20
LIMIT = 256 * MEBIBYTE


class Growing(DoubleProcess):
    """Takes memory at a steady rate from its first look on."""

    def __init__(self, folder: Path, bytes_per_second: int) -> None:
        super().__init__(folder)
        self.looks = 0
        self._rate = bytes_per_second
        self._began = 0.0

    def status(self) -> bytes:
        self.looks += 1
        self._began = self._began or monotonic()
        self.memory_kib = int((monotonic() - self._began) * self._rate) >> 10
        return super().status()


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    watcher = LimitsWatcher(Limits(memory_bytes=LIMIT, files_bytes=1 << 20, threads=4))
    return watcher.watch(DoubleProcess(tmp_path))


def pause(watch: Watch, now: float, mebibytes: int) -> float:
    """Look at `now`; return the seconds until the next look."""
    watch.schedule(now, mebibytes * MEBIBYTE, LIMIT)
    return watch.look_at - now


def test_a_process_far_below_its_limit_is_looked_at_in_the_usual_interval(watch: Watch) -> None:
    assert pause(watch, 1.0, 10) == pytest.approx(INTERVAL)
    assert pause(watch, 2.0, 10) == pytest.approx(INTERVAL)


def test_a_process_is_looked_at_sooner_the_faster_it_grows(watch: Watch) -> None:
    assert pause(watch, 1.0, 0) == pytest.approx(INTERVAL)
    steady = pause(watch, 2.0, 100)
    slow = pause(watch, 2.1, 180)
    fast = pause(watch, 2.15, 230)
    assert INTERVAL >= steady > slow > fast > 0


def test_a_process_close_to_its_limit_is_looked_at_often_even_if_it_does_not_grow(watch: Watch) -> None:
    pauses = [pause(watch, float(second), 250) for second in range(1, 4)]
    assert pauses[-1] < INTERVAL / 5


def test_a_process_that_was_over_its_limit_for_a_moment_has_a_next_look(watch: Watch) -> None:
    assert pause(watch, 1.0, 300) > 0


def test_growth_between_two_looks_ends_close_to_the_limit(tmp_path: Path) -> None:
    process = Growing(tmp_path, bytes_per_second=1000 * MEBIBYTE)
    watcher = LimitsWatcher(Limits(memory_bytes=LIMIT, files_bytes=1 << 20, threads=4))
    try:
        watch = watcher.watch(process)
        watch.begin(60)
        with gevent.Timeout(30):
            process.ended.wait()
        watch.end()
    finally:
        watcher.close()
    assert watch.breach is not None
    assert watch.breach.kind == "memory_limit"
    assert f"of memory: it had {process.memory_kib * 1024}" in watch.breach.message
    # Within the usual interval it would have been seen six times.
    assert process.looks > 6
