"""Worker: what it says of a run by how its process answered or ended. No process is started."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest

from runtime.errors import InitializationFailed, ScriptFailed, ScriptTimeout, ServiceError, WorkerLost
from runtime.frames import ChannelClosed, FrameError, TooDeep, Unread
from runtime.json_codec import OutOfRange
from runtime.process import run_meter
from runtime.process.limits_watcher import Limits, LimitsWatcher
from runtime.process.process import Usage
from runtime.process.worker import GRACE_SECONDS, PENALTY_ANSWERS, Execution, Worker
from tests.unit.runtime.process.double import DoubleChannel, DoubleProcess, Program

#: Milliseconds: a deadline that no test reaches, and one that a test waits for.
LONG_MS, SHORT_MS = 60_000, 10
MEMORY_MAX = 1 << 20
PAYLOAD = {"script": "result = 1"}
CLOSED = ChannelClosed("the peer closed its end")


class Staged:
    """A worker with its process and channel."""

    def __init__(
        self, folder: Path, limits_watcher: LimitsWatcher, program: Program, *, counts_fuel: bool = False
    ) -> None:
        self.process = DoubleProcess(folder)
        self.channel = DoubleChannel(self.process, program)
        watch = limits_watcher.watch(self.process)
        self.worker = Worker(self.process, watch, self.channel, 1000, counts_fuel=counts_fuel)

    def run(self, *, timeout_ms: float = LONG_MS, payload: dict[str, Any] | None = None) -> Execution:
        return self.worker.run({"a": 1}, {}, timeout_ms, payload)


Stage = Callable[..., Staged]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    limits_watcher = LimitsWatcher(Limits(memory_bytes=MEMORY_MAX, files_bytes=1 << 20, threads=4))

    def staged(program: Program, **more: bool) -> Staged:
        return Staged(tmp_path, limits_watcher, program, **more)

    yield staged
    limits_watcher.close()


def well(process: DoubleProcess, question: dict[str, Any]) -> dict[str, Any]:
    """A program that loads. Its script prints, and gives its params back."""
    if "run" not in question:
        return {"loaded": True}
    process.print(stdout="out", stderr="err")
    return {"result": question["run"]["params"], "fuel": 7}


def ending(status: int, error: FrameError, stderr: str = "") -> Program:
    """A program that ends its process in its run."""

    def program(process: DoubleProcess, question: dict[str, Any]) -> dict[str, Any]:
        if "run" not in question:
            return well(process, question)
        process.print(stderr=stderr)
        process.end(status)
        raise error

    return program


def held(process: DoubleProcess, question: dict[str, Any]) -> dict[str, Any]:
    """A program that answers nothing until its process is killed."""
    process.print(stdout="so far")
    process.ended.wait()
    raise CLOSED


def failing(answer: dict[str, Any]) -> Program:
    """A program that answers a run so."""
    return lambda process, question: answer if "run" in question else well(process, question)


def test_a_run_gives_its_result_and_its_output(stage: Stage) -> None:
    staged = stage(well)
    done = staged.run(payload=PAYLOAD)
    assert (done.result, done.stdout, done.stderr) == ({"a": 1}, "out", "err")
    assert staged.worker.loaded
    assert staged.worker.alive
    assert [sorted(question) for question in staged.channel.asked] == [
        ["id", "load", "result_max_bytes"],
        ["id", "run"],
    ]


def test_what_was_printed_between_runs_belongs_to_none(stage: Stage) -> None:
    staged = stage(well)
    staged.process.print(stdout="before")
    assert staged.run().stdout == "out"
    assert staged.run().stdout == "out"


def test_the_usage_of_a_run_is_its_own(stage: Stage) -> None:
    def works(process: DoubleProcess, question: dict[str, Any]) -> dict[str, Any]:
        process.used = Usage(process.used.cpu_seconds + 0.5, 4096, 1024)
        return well(process, question)

    staged = stage(works)
    cold, warm = staged.run(payload=PAYLOAD).usage, staged.run().usage
    assert (cold.cpu_time, warm.cpu_time) == (1000, 500)
    assert (cold.bytes_in, warm.bytes_in) == (200, 100)
    assert (cold.bytes_out, warm.bytes_out) == (26, 16)
    assert (cold.cold, warm.cold) == (True, False)
    assert (warm.memory_usage_bytes, staged.worker.resident_bytes) == (4096, 1024)


def test_what_it_computes_between_runs_is_charged_to_the_next_one_and_ends_its_grace(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_meter, "SOON", 0.0)  # the double computes in no time
    staged = stage(well)
    process, worker = staged.process, staged.worker

    def after(idle_cpu: float) -> tuple[float, float]:
        """Run once after that CPU time between two runs. Return the charge in ms, and the grace of the stop."""
        process.used = Usage(process.used.cpu_seconds + idle_cpu, 0)
        charged = staged.run().usage.cpu_time
        worker.suspend()
        return charged, process.grace

    assert after(5) == (0, GRACE_SECONDS)  # before the first run it was ours
    assert after(0.001) == (1, GRACE_SECONDS)
    assert after(0.5) == (500, 0)
    assert [after(0) for _ in range(PENALTY_ANSWERS)] == [(0, 0)] * (PENALTY_ANSWERS - 1) + [
        (0, GRACE_SECONDS)
    ]


@pytest.mark.parametrize(("counts_fuel", "fuel"), [(True, 7), (False, None)])
def test_a_word_for_the_fuel_is_taken_where_no_script_can_say_it(
    stage: Stage, counts_fuel: bool, fuel: int | None
) -> None:
    assert stage(well, counts_fuel=counts_fuel).run().usage.fuel == fuel


def test_fuel_is_a_number(stage: Stage) -> None:
    assert stage(failing({"result": 1, "fuel": True}), counts_fuel=True).run().usage.fuel is None


def test_a_script_that_raises_leaves_its_worker_alive(stage: Stage) -> None:
    staged = stage(failing({"error": {"message": "no", "type": "ValueError", "line": 3}}))
    with pytest.raises(ScriptFailed, match="no") as failed:
        staged.run()
    details = failed.value.details
    assert (details["kind"], details["type"], details["line"]) == ("exception", "ValueError", 3)
    assert failed.value.usage is not None
    assert staged.worker.alive


def test_a_script_that_does_not_load_is_told_from_one_that_fails(stage: Stage) -> None:
    staged = stage(lambda *_: {"error": {"message": "syntax", "line": 1}})
    with pytest.raises(InitializationFailed, match="syntax") as failed:
        staged.run(payload=PAYLOAD)
    assert (failed.value.details["stage"], failed.value.details["line"]) == ("parse", 1)
    assert not staged.worker.loaded


def test_a_run_is_killed_at_its_deadline(stage: Stage) -> None:
    staged = stage(held)
    with pytest.raises(ScriptTimeout, match="longer than 10 ms") as failed:
        staged.run(timeout_ms=SHORT_MS)
    assert (failed.value.details["timeout_ms"], failed.value.details["stdout"]) == (SHORT_MS, "so far")
    assert staged.process.ended.get() == -signal.SIGKILL


@pytest.mark.parametrize(
    ("waiting", "told"), [(None, False), ("callback", True), ("a bus", False), ({}, False)]
)
def test_a_timeout_tells_what_the_program_said_it_waits_for(
    stage: Stage, waiting: object, told: bool
) -> None:
    staged = stage(held)
    staged.channel.waiting = waiting
    with pytest.raises(ScriptTimeout, match="longer than 10 ms") as failed:
        staged.run(timeout_ms=SHORT_MS)
    assert ("its callback was awaited" in str(failed.value)) is told


@pytest.mark.parametrize(
    ("answer", "kept"), [({}, True), ({"spent": True}, False), ({"error": {}, "spent": True}, False)]
)
def test_a_run_that_is_its_programs_last_leaves_no_script(
    stage: Stage, answer: dict[str, Any], kept: bool
) -> None:
    staged = stage(
        lambda _, question: {**({"loaded": True} if "run" not in question else {"result": 1}), **answer}
    )
    staged.worker.load(PAYLOAD, "parse", LONG_MS)
    staged.run()
    assert staged.worker.loaded is kept


def test_loading_within_a_run_has_the_runs_deadline(stage: Stage) -> None:
    with pytest.raises(ScriptTimeout):
        stage(held).run(timeout_ms=SHORT_MS, payload=PAYLOAD)


def test_a_process_that_takes_too_much_memory_is_killed_for_it(stage: Stage) -> None:
    staged = stage(held)
    staged.process.memory_kib = 2 * MEMORY_MAX // 1024
    with pytest.raises(ScriptFailed, match=f"more than {MEMORY_MAX} bytes of memory") as failed:
        staged.run()
    assert failed.value.details["kind"] == "memory_limit"
    assert not staged.worker.alive


@pytest.mark.parametrize(
    ("status", "stderr", "kind", "message"),
    [
        (0, "", "crashed", "it ended with status 0"),
        (3, "", "crashed", "it ended with status 3"),
        (-signal.SIGSEGV, "", "crashed", "it was ended by SIGSEGV"),
        (-signal.SIGXFSZ, "", "exception", "wrote a file that is too large"),
        (-signal.SIGABRT, "FATAL: heap out of memory", "memory_limit", "more memory than it may"),
        (-signal.SIGABRT, "", "crashed", "it was ended by SIGABRT"),
    ],
)
def test_the_end_of_a_process_says_what_became_of_its_run(
    stage: Stage, status: int, stderr: str, kind: str, message: str
) -> None:
    with pytest.raises(ScriptFailed, match=message) as failed:
        stage(ending(status, CLOSED, stderr)).run()
    assert (failed.value.details["kind"], failed.value.details["stderr"]) == (kind, stderr)


def test_cpu_time_that_is_used_up_is_a_timeout(stage: Stage) -> None:
    with pytest.raises(ScriptTimeout, match="CPU time"):
        stage(ending(-signal.SIGXCPU, CLOSED)).run()


@pytest.mark.parametrize("error", [TooDeep("nested too deeply"), OutOfRange("out of range")])
def test_a_result_that_is_no_json_is_said_to_be_none(stage: Stage, error: FrameError) -> None:
    with pytest.raises(ScriptFailed, match=str(error)) as failed:
        stage(ending(0, error)).run()
    assert failed.value.details["kind"] == "result_not_json"


@pytest.mark.parametrize("payload", [None, PAYLOAD])
def test_a_process_that_has_not_read_its_call_lost_it(stage: Stage, payload: dict[str, Any] | None) -> None:
    def gone(process: DoubleProcess, _: dict[str, Any]) -> dict[str, Any]:
        process.end(-signal.SIGKILL)
        raise Unread("connection reset")

    with pytest.raises(WorkerLost):
        stage(gone).run(payload=payload)


def test_an_answer_to_another_question_kills_the_process(stage: Stage) -> None:
    staged = stage(failing({"id": 99, "result": 1}))
    with pytest.raises(ScriptFailed) as failed:
        staged.run()
    assert failed.value.details["kind"] == "crashed"
    assert not staged.worker.alive


def test_an_answer_without_a_result_is_a_failure(stage: Stage) -> None:
    with pytest.raises(ScriptFailed, match="the script failed"):
        stage(failing({})).run()


def test_a_client_that_hangs_up_ends_the_process(stage: Stage) -> None:
    staged = stage(held)
    running = gevent.spawn(staged.run)
    gevent.idle()
    assert staged.worker.alive
    running.kill()
    assert not staged.worker.alive


def test_after_its_end_a_run_has_no_deadline_any_more(stage: Stage) -> None:
    staged, later = stage(well), stage(held)
    staged.run(timeout_ms=SHORT_MS)
    with pytest.raises(ScriptTimeout):
        later.run(timeout_ms=2 * SHORT_MS)
    assert staged.worker.alive


def test_loading_ahead_leaves_a_worker_that_needs_no_payload(stage: Stage) -> None:
    staged = stage(well)
    staged.process.used = Usage(0.1, 2048, 512)
    staged.worker.load(PAYLOAD, "compile", LONG_MS)
    assert (staged.worker.loaded, staged.worker.resident_bytes) == (True, 512)
    assert staged.run().usage.cold is False


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (held, "took longer than 10 ms"),
        (lambda *_: {"loaded": 1}, "the script could not be loaded"),
        (lambda *_: {"error": {"message": "syntax"}}, "syntax"),
    ],
)
def test_a_script_that_does_not_load_ahead_is_refused(stage: Stage, program: Program, message: str) -> None:
    staged = stage(program)
    with pytest.raises(InitializationFailed, match=message) as failed:
        staged.worker.load(PAYLOAD, "compile", SHORT_MS)
    assert failed.value.details["stage"] == "compile"
    assert not staged.worker.loaded


def test_a_process_that_ends_while_it_loads_ahead_is_told_of(stage: Stage) -> None:
    def gone(process: DoubleProcess, _: dict[str, Any]) -> dict[str, Any]:
        process.end(4)
        raise CLOSED

    with pytest.raises(InitializationFailed, match="it ended with status 4"):
        stage(gone).worker.load(PAYLOAD, "parse", LONG_MS)


def test_a_rehearsal_readies_a_blank_worker_or_ends_it(stage: Stage) -> None:
    ready, stuck = stage(well), stage(held)
    ready.worker.rehearse(LONG_MS)
    stuck.worker.rehearse(SHORT_MS)
    assert [ready.worker.alive, stuck.worker.alive] == [True, False]


def test_a_closed_worker_gives_everything_back(stage: Stage) -> None:
    staged = stage(well)
    staged.worker.close()
    assert (staged.channel.closed, staged.process.closed, staged.worker.alive) == (True, True, False)


@pytest.mark.parametrize("error", [ScriptFailed, ScriptTimeout])
def test_every_run_that_failed_tells_what_it_used(stage: Stage, error: type[ServiceError]) -> None:
    program = held if error is ScriptTimeout else ending(1, CLOSED)
    with pytest.raises(error) as failed:
        stage(program).run(timeout_ms=SHORT_MS)
    assert failed.value.usage is not None
    assert failed.value.usage.execution_time > 0
