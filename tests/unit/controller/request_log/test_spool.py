"""The spool on a real disk: order, exactly what was kept, several processes, damage, limits."""

import os
import resource
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from controller.observability.metrics import MetricsCollector
from controller.request_log.segment import HEADER
from controller.request_log.spool import SEGMENT_BYTES, Spool, SpoolFull

ROOT = Path(__file__).parents[4]
PLENTY = 1 << 30


class Opened:
    """Spools in one folder, as several processes would open them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.registry = CollectorRegistry()
        self._metrics = MetricsCollector(self.registry)
        self._spools: list[Spool] = []

    def spool(self, max_bytes: int = PLENTY) -> Spool:
        self._spools.append(Spool(self.folder, max_bytes, self._metrics))
        return self._spools[-1]

    def close(self, spool: Spool) -> None:
        self._spools.remove(spool)
        spool.close()

    def files(self) -> list[Path]:
        return sorted(self.folder.rglob("*.spool"))

    def metric(self, name: str) -> float | None:
        return self.registry.get_sample_value(name)

    def close_all(self) -> None:
        while self._spools:
            self._spools.pop().close()


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    made = Opened(tmp_path / "spool")
    yield made
    made.close_all()


def drained(spool: Spool, most: int = 100, most_bytes: int = 1 << 20) -> list[bytes]:
    records = []
    while batch := spool.read(most, most_bytes):
        records += batch
        spool.forget()
    return records


def test_what_is_kept_comes_back_in_order_and_once(opened: Opened) -> None:
    spool = opened.spool()
    for number in range(20):
        spool.append([b"%d" % number, b"\0%d" % number])
    expected = [record for number in range(20) for record in (b"%d" % number, b"\0%d" % number)]
    assert drained(spool, most=7) == expected
    assert drained(spool) == []
    assert opened.files() == []


def test_what_was_not_forgotten_is_read_again(opened: Opened) -> None:
    spool = opened.spool()
    spool.append([b"a", b"b", b"c"])
    assert spool.read(2, 100) == [b"a", b"b"]
    assert spool.read(2, 100) == [b"a", b"b"]
    spool.forget()
    assert spool.read(2, 100) == [b"c"]


def test_records_that_come_during_a_replay_come_after_it(opened: Opened) -> None:
    spool = opened.spool()
    spool.append([b"a", b"b"])
    spool.read(1, 100)
    spool.append([b"c"])
    spool.forget()
    assert drained(spool) == [b"b", b"c"]


def test_a_batch_is_bounded_by_bytes_and_has_one_record_at_least(opened: Opened) -> None:
    spool = opened.spool()
    spool.append([b"x" * 1000, b"y" * 10, b"z" * 10])
    assert spool.read(100, 100) == [b"x" * 1000]
    spool.forget()
    assert spool.read(100, 100) == [b"y" * 10, b"z" * 10]


def test_large_amounts_are_in_several_segments(opened: Opened) -> None:
    spool = opened.spool()
    blocks = [bytes([number]) * (SEGMENT_BYTES // 2) for number in range(7)]
    for block in blocks:
        spool.append([block])
    assert len(opened.files()) > 1
    assert drained(spool) == blocks


def test_what_is_kept_is_there_after_a_restart(opened: Opened) -> None:
    first = opened.spool()
    first.append([b"a", b"b"])
    first.read(1, 100)
    opened.close(first)
    assert drained(opened.spool()) == [b"a", b"b"]


def test_a_live_process_keeps_its_segment_to_itself(opened: Opened) -> None:
    mine, other = opened.spool(), opened.spool()
    mine.append([b"mine"])
    assert other.read(1, 100) == []
    other.append([b"other"])
    assert drained(mine) == [b"mine"]
    assert drained(other) == [b"other"]


def test_what_one_process_replays_no_other_one_does(opened: Opened) -> None:
    left = opened.spool()
    left.append([b"a"])
    opened.close(left)
    one, other = opened.spool(), opened.spool()
    assert one.read(1, 100) == [b"a"]
    assert other.read(1, 100) == []


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from prometheus_client import CollectorRegistry
    from controller.request_log.spool import Spool
    from controller.observability.metrics import MetricsCollector
    spool = Spool(Path(sys.argv[1]), 1 << 20, MetricsCollector(CollectorRegistry()))
    spool.append([b"whole"])
    spool.append([b"also"])
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_segment_of_a_killed_process_is_adopted(opened: Opened) -> None:
    opened.spool()
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(opened.folder)]
    assert subprocess.run(command, cwd=ROOT, timeout=60, check=False).returncode == -9
    assert drained(opened.spool()) == [b"whole", b"also"]


@pytest.mark.parametrize("cut", range(1, HEADER.size + len(b"second")))
def test_a_half_written_record_is_left_out_and_counted(opened: Opened, cut: int) -> None:
    spool = opened.spool()
    spool.append([b"first", b"second"])
    opened.close(spool)
    (path,) = opened.files()
    os.truncate(path, path.stat().st_size - cut)
    again = opened.spool()
    again.append([b"third"])
    assert drained(again) == [b"first", b"third"]
    assert opened.metric("lambda_log_records_lost_total") == 1


@pytest.mark.parametrize("place", [0, 3, 4, 7, 8, 12])
def test_damage_does_not_hold_up_what_comes_after_the_segment(opened: Opened, place: int) -> None:
    spool = opened.spool()
    spool.append([b"first"])
    opened.close(spool)
    (path,) = opened.files()
    data = bytearray(path.read_bytes())
    data[place] ^= 0xFF
    path.write_bytes(data)
    again = opened.spool()
    again.append([b"second"])
    assert drained(again) == [b"second"]


@pytest.mark.parametrize(
    ("place", "garbage"),
    # In the middle of the second record, and from its beginning: eight zeros could pass for an empty record.
    [(5000, os.urandom(1000)), (HEADER.size + len(b"whole"), bytes(4096))],
    ids=["noise", "zeros"],
)
def test_damage_costs_the_rest_of_its_segment_and_nothing_else(
    opened: Opened, place: int, garbage: bytes
) -> None:
    before, damaged, after = opened.spool(), opened.spool(), opened.spool()
    before.append([b"before"])
    damaged.append([b"whole", b"x" * 10_000, b"behind it"])
    after.append([b"after"])
    path = opened.files()[1]
    for spool in (before, damaged, after):
        opened.close(spool)
    with path.open("r+b") as file:
        file.seek(place)
        file.write(garbage)
    assert drained(opened.spool()) == [b"before", b"whole", b"after"]
    assert opened.metric("lambda_log_records_lost_total") == 1
    assert opened.files() == []


def test_a_segment_that_an_earlier_release_has_left_is_read(opened: Opened) -> None:
    written = b"\x00\x00\x00\x05\x92q\xeeWfirst\x00\x00\x00\x06\xb6\x1f\x11isecond\x00\x00\x00\x05$2 dthird"
    spool = opened.spool()
    (folder,) = opened.folder.iterdir()
    (folder / "01796008846880995973-21622-0.spool").write_bytes(written)
    assert drained(spool) == [b"first", b"second", b"third"]


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Files of this process cannot grow beyond `size` bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_is_full_keeps_what_it_has_and_takes_all_of_a_batch_or_none(opened: Opened) -> None:
    spool = opened.spool()
    spool.append([b"first"])
    with file_size_limit(50):
        with pytest.raises(OSError, match="File too large"):
            spool.append([b"second", b"x" * 100])
        spool.append([b"third"])
        assert drained(spool) == [b"first", b"third"]
    spool.append([b"fourth"])
    assert drained(spool) == [b"fourth"]
    assert opened.metric("lambda_log_records_lost_total") == 0
    assert opened.metric("lambda_log_spool_bytes") == 0


def test_a_full_spool_takes_nothing_more_until_there_is_room(opened: Opened) -> None:
    spool, other = opened.spool(100), opened.spool(100)
    other.append([b"x" * 40])
    with pytest.raises(SpoolFull):
        spool.append([b"x" * 30, b"x" * 30])
    spool.append([b"a" * 30])
    assert opened.metric("lambda_log_spool_bytes") == 70 + 2 * HEADER.size
    drained(other)
    spool.append([b"b" * 30])
    assert drained(spool) == [b"a" * 30, b"b" * 30]
    assert opened.metric("lambda_log_spool_bytes") == 0


def test_the_folder_is_this_accounts_alone(opened: Opened) -> None:
    opened.spool().append([b"a"])
    (folder,) = opened.folder.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert opened.files()[0].stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("trap", ["open", "link", "file"])
def test_a_folder_that_others_may_have_prepared_is_refused(opened: Opened, tmp_path: Path, trap: str) -> None:
    place = opened.folder / f"lambda-microservice-log-{os.geteuid()}"
    opened.folder.mkdir()
    if trap == "open":
        place.mkdir()
        place.chmod(0o777)
    elif trap == "link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        place.symlink_to(tmp_path / "elsewhere")
    else:
        place.write_text("")
    with pytest.raises(OSError, match=r"alone|exists"):
        opened.spool()
