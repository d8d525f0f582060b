"""What the store of environments keeps, and what it removes to make room."""

import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest

from runtime.environments.store import Environments
from runtime.errors import EnvironmentNeeded, InvalidRequest, RuntimeUnavailable
from runtime.metrics import RuntimeMetrics
from tests.environments import Environment, environment, parts_of

#: What an environment of `small` takes by the store's account: its bytes, and a block for each of file and folders.
_SIZE = 10_000 + 3 * 4096


def small(name: str) -> Environment:
    return environment({f"package/{name}.py": name[:1].encode() * 10_000})


class Store:
    """A store with room for three of `small`, and the workers that it may end."""

    def __init__(self, state: Path, grace: float = 60) -> None:
        self.idle: list[Callable[[], object]] = []
        self.metrics = RuntimeMetrics("python")
        self.environments = Environments(
            state, 3 * _SIZE, self.metrics, self._end_idle, grace=grace, room_timeout=0.2
        )

    def _end_idle(self) -> None:
        if self.idle:
            gevent.spawn(self.idle.pop(0))

    def send(self, sent: Environment) -> str:
        for number, part in enumerate(sent.parts):
            self.environments.receive(sent.digest, number, part)
        return sent.digest

    def use(self, sent: Environment) -> Path:
        """Send an environment and use it for a moment."""
        packages = self.environments.hold(self.send(sent))
        packages.release()
        return Path(packages.folder)

    def kept(self, *sent: Environment) -> list[bool]:
        """Which of them are whole."""
        found = []
        for one in sent:
            try:
                self.environments.check(one.digest)
                found.append(True)
            except EnvironmentNeeded:
                found.append(False)
        return found

    def metric(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, {"language": "python", **labels})


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "state")
    yield made
    made.environments.close()
    assert not list((tmp_path / "state").iterdir())


def test_files_are_laid_out_closed(kept: Store) -> None:
    sent = environment({"bin/tool": "#!", "data/empty": "", "data/deep/x": "x"}, executable={"bin/tool"})
    folder = kept.use(sent)
    found = {str(path.relative_to(folder)): oct(path.stat().st_mode) for path in folder.rglob("*")}
    assert {name: mode[-3:] for name, mode in found.items()} == {
        **dict.fromkeys(("bin", "bin/tool", "data", "data/deep"), "555"),
        **dict.fromkeys(("data/empty", "data/deep/x"), "444"),
    }
    assert (folder / "data/deep/x").read_text() == "x"
    assert oct(folder.stat().st_mode)[-3:] == "555"
    assert oct(kept.environments.folder.stat().st_mode)[-3:] == "300"
    assert kept.environments.listable == (os.geteuid() == 0)
    assert len(folder.name) == 64
    assert sent.digest not in folder.name


def test_what_was_used_least_recently_makes_room(kept: Store) -> None:
    first, second, third, fourth = (small(name) for name in ("first", "second", "third", "4th"))
    folders = [kept.use(one) for one in (first, second, third)]
    assert kept.metric("lambda_runtime_environments") == 3
    assert kept.metric("lambda_runtime_environment_bytes") == 3 * _SIZE
    assert kept.kept(first) == [True]
    kept.use(fourth)
    assert kept.kept(first, second, third, fourth) == [True, False, True, True]
    assert [folder.exists() for folder in folders] == [True, False, True]
    assert kept.metric("lambda_runtime_environment_bytes") == 3 * _SIZE
    assert kept.metric("lambda_runtime_environments_evicted_total") == 1
    assert kept.metric("lambda_runtime_environments_asked_total", found="kept") == 4
    assert kept.metric("lambda_runtime_environments_asked_total", found="needed") == 1


def test_what_is_in_use_stays_and_idle_workers_end_for_others(kept: Store) -> None:
    used = [small(name) for name in "abc"]
    held = [kept.environments.hold(kept.send(one)) for one in used]
    kept.idle = [packages.release for packages in held[1:]]
    kept.use(small("more"))
    assert kept.kept(*used) == [True, False, True]
    assert len(kept.idle) == 1
    assert Path(held[0].folder).exists()


def test_without_room_the_caller_is_to_try_again(kept: Store) -> None:
    used = [small(name) for name in "abc"]
    for one in used:
        kept.environments.hold(kept.send(one))
    late = small("late")
    with pytest.raises(RuntimeUnavailable):
        kept.send(late)
    assert kept.kept(*used, late) == [True, True, True, False]
    assert kept.metric("lambda_runtime_environment_bytes") == 3 * _SIZE


@pytest.mark.parametrize(("grace", "stays"), [(60, True), (0, False)])
def test_what_has_just_come_waits_for_its_first_use(tmp_path: Path, grace: float, *, stays: bool) -> None:
    kept = Store(tmp_path, grace)
    come = [small(name) for name in "abc"]
    for one in come:
        kept.send(one)
    if stays:
        with pytest.raises(RuntimeUnavailable):
            kept.send(small("more"))
    else:
        kept.send(small("more"))
    assert kept.kept(*come) == [stays, True, True]
    kept.environments.close()


def test_what_can_never_fit_is_refused(kept: Store) -> None:
    kept.use(small("a"))
    with pytest.raises(InvalidRequest, match="ENVIRONMENTS_MAX_BYTES"):
        kept.send(environment({"large": bytes(3 * _SIZE)}))
    assert kept.kept(small("a")) == [True]


def test_many_can_send_one_environment_together(kept: Store) -> None:
    sent = environment({name: name * 3000 for name in "abcdef"})
    senders = [gevent.spawn(kept.send, sent) for _ in range(8)]
    gevent.joinall(senders, timeout=60, raise_error=True)
    folder = kept.use(sent)
    assert sorted(path.name for path in folder.iterdir()) == list("abcdef")
    assert kept.metric("lambda_runtime_environments") == 1


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(zlib.compress(b"other bytes"), id="another hash"),
        pytest.param(zlib.compress(b"short"), id="too short"),
        pytest.param(zlib.compress(bytes(64 << 20)), id="a bomb"),
        pytest.param(b"no zlib", id="no zlib"),
    ],
)
def test_wrong_bytes_are_forgotten_with_all_parts(kept: Store, wrong: bytes) -> None:
    sent = environment({"file": b"right bytes"})
    kept.environments.receive(sent.digest, 0, sent.parts[0])
    with pytest.raises(InvalidRequest):
        kept.environments.receive(sent.digest, 1, wrong)
    with pytest.raises(EnvironmentNeeded) as needed:
        kept.environments.check(sent.digest)
    assert needed.value.details == {"missing": [0]}
    assert kept.metric("lambda_runtime_environment_bytes") == 0
    assert kept.use(sent).exists()


def test_a_manifest_with_a_way_out_leaves_nothing(kept: Store, tmp_path: Path) -> None:
    sent = parts_of({"parts": 1, "files": [["../../out", 0, "0" * 64, 0]]})
    with pytest.raises(InvalidRequest):
        kept.send(sent)
    assert not list(tmp_path.rglob("out"))
    assert kept.kept(sent) == [False]


def test_the_loop_goes_on_while_an_environment_is_laid_out(tmp_path: Path) -> None:
    files = {f"package/{number // 100}/{number}.py": b"x" * 500 for number in range(2500)}
    environments = Environments(tmp_path, 1 << 30, RuntimeMetrics("python"), lambda: None)
    turns = 0

    def count() -> None:
        nonlocal turns
        while True:
            gevent.sleep(0.001)
            turns += 1

    sent = environment(files)
    counter = gevent.spawn(count)
    for number, part in enumerate(sent.parts):
        environments.receive(sent.digest, number, part)
    counter.kill()
    environments.close()
    # It takes a tenth of a second at least: a loop that waited for it would turn a few times.
    assert turns > 10
