"""A warm process for one script: loads it once, runs it many times, is killed at a deadline."""

from typing import Any, NamedTuple

import gevent

from runtime.errors import RunUsage, ScriptTimeout, ServiceError, WorkerLost
from runtime.frames import ChannelClosed, FrameError, TooDeep, Unread
from runtime.json_codec import Object, OutOfRange
from runtime.process.channel import ProcessChannel
from runtime.process.confined import Confined, Dialogue
from runtime.process.failures import (
    broken_run,
    end_of_process,
    ended_run,
    initialization_failure,
    script_failure,
)
from runtime.process.hints import Allowed
from runtime.process.limits_watcher import LimitsWatcher, Watch
from runtime.process.packages import Packages
from runtime.process.process import Process
from runtime.process.run_meter import GRACE_CPU_SECONDS, Charge, RunMeter

#: Largest answer without the result; also the largest error.
_ENVELOPE_BYTES = 256 * 1024
#: Seconds in which a process that has closed its channel may end by itself, so that its exit status is known.
_EXIT_TIMEOUT = 0.2
#: Seconds after an answer until the process is stopped: a call that comes sooner saves stopping and continuing it.
GRACE_SECONDS = 0.008
#: Answers without a grace, after one that was followed by too much CPU time.
PENALTY_ANSWERS = 100
#: What a worker may say that it waits for, and what to tell when it waited until the deadline.
_WAITED_FOR = {
    "callback": "its handler returned nothing, so its callback was awaited, and it was not called",
}
_NOTHING_ALLOWED = Allowed()
_NO_PACKAGES = Packages()


class Execution(NamedTuple):
    """A successful run."""

    result: Any
    stdout: str
    stderr: str
    usage: RunUsage


class Worker:
    """A process that serves the protocol of `runtime.workers.protocol`, one request at a time.

    A worker that fails is killed immediately, unless the failure is an exception of the script: see `alive`.

    Args:
        process: The process. `close` closes it.
        limits_watcher: Watches the limits and the deadlines of its runs.
        result_max_bytes: Largest result of a run.
        counts_fuel: Whether to use the fuel that the worker reports. It must be false where a script can write to
            the channel, because it could forge the report.
        allowed: What the deployment allows its scripts, for the hints in errors.

    Attributes:
        loaded: Whether the worker holds its script and may run it again.
        resident_bytes: Memory that no file backs, at its last answer.
    """

    def __init__(
        self,
        process: Confined,
        watch: Watch,
        channel: Dialogue,
        result_max_bytes: int,
        *,
        counts_fuel: bool = False,
        allowed: Allowed = _NOTHING_ALLOWED,
    ) -> None:
        self.process = process
        self._watch = watch
        self.loaded = False
        self.resident_bytes = 0
        self._counts_fuel = counts_fuel
        self._last_id = 0
        self._result_max_bytes = result_max_bytes
        self._channel = channel
        self._allowed = allowed
        self._packages = _NO_PACKAGES
        #: CPU time that its runs have been charged for, and answers after which it is stopped immediately.
        self._charged: Charge | None = None
        self._without_grace = 0

    @classmethod
    def of(
        cls,
        process: Process,
        limits_watcher: LimitsWatcher,
        result_max_bytes: int,
        *,
        counts_fuel: bool = False,
        allowed: Allowed = _NOTHING_ALLOWED,
    ) -> "Worker":
        """Return the worker of a process that has just started."""
        channel = ProcessChannel(process.channel, result_max_bytes + _ENVELOPE_BYTES)
        watch = limits_watcher.watch(process)
        return cls(process, watch, channel, result_max_bytes, counts_fuel=counts_fuel, allowed=allowed)

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self.process.alive

    def suspend(self) -> None:
        """Stop its process soon, so that threads and timers of the script do not run between its runs.

        What it computes until then is charged to its next run. If it is much, the process is stopped immediately
        after its next answers.
        """
        self.process.suspend(0.0 if self._without_grace else GRACE_SECONDS)
        self._without_grace = max(0, self._without_grace - 1)

    def resume(self) -> None:
        """Continue its process."""
        self.process.resume()

    def kill(self) -> None:
        """Kill its process. Does not wait."""
        self.process.kill()

    def discard_output(self) -> None:
        """Forget what its process has printed."""
        self.process.discard_output()

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """Send a request and return its answer. Languages use it for messages that only they have.

        Raises:
            FrameError: There was no valid answer. The process has been killed.
        """
        self._last_id += 1
        try:
            answer = self._channel.ask({"id": self._last_id, **message})
            if answer.get("id") != self._last_id:
                raise FrameError("an answer to another request")
            return answer
        except FrameError as error:
            if isinstance(error, ChannelClosed):
                self.process.wait(_EXIT_TIMEOUT)
            self.process.kill()
            raise

    def rehearse(self, timeout_ms: float) -> None:
        """Have a blank worker run a script of our own, which makes its first real run faster.

        It is killed if it fails, or takes longer than `timeout_ms`.
        """
        try:
            with gevent.Timeout(timeout_ms / 1000):
                self.ask({"rehearse": True})
        except (FrameError, gevent.Timeout):
            self._end()

    def load(self, payload: dict[str, Any], stage: str, timeout_ms: float) -> None:
        """Have the script parsed.

        Raises:
            InitializationFailed: It does not load, or not within `timeout_ms`.
            WorkerLost: The process ended before it read the request.
        """
        try:
            with gevent.Timeout(timeout_ms / 1000):
                self._load(payload, stage)
            used = self.process.usage()
            self.resident_bytes, self._charged = used.resident_bytes, Charge(used.cpu_seconds)
        except gevent.Timeout:
            self._end()
            message = f"loading the script took longer than {timeout_ms:.0f} ms"
            raise initialization_failure({"message": message}, stage, self._allowed) from None
        except FrameError as error:
            self._end()
            _check_read(error)
            message = f"the process that loaded the script failed: {end_of_process(self.process.wait())}"
            raise initialization_failure({"message": message}, stage, self._allowed) from None

    def run(
        self,
        params: Object,
        context: dict[str, Any],
        timeout_ms: float,
        payload: dict[str, Any] | None,
    ) -> Execution:
        """Execute the script. With a `payload`, load it first; `timeout_ms` is for both.

        Raises:
            ScriptFailed: The script raised an exception or broke a limit.
            ScriptTimeout: The deadline passed.
            InitializationFailed: The script does not load.
            WorkerLost: The process ended before it read the request.
        """
        self.process.discard_output()
        meter = RunMeter(self.process, self._channel, cold=payload is not None, charged=self._charged)
        if meter.before > GRACE_CPU_SECONDS:
            self._without_grace = PENALTY_ANSWERS
        answer: dict[str, Any] = {}
        try:
            answer = self._answer(params, context, timeout_ms, payload)
            stdout, stderr = self._take_output()
            if "result" not in answer:
                raise script_failure(self._packages.told(answer.get("error")), stdout, stderr, self._allowed)
        except ServiceError as error:
            error.usage = self._usage(meter, answer)
            raise
        finally:
            if answer.get("spent"):
                self.loaded = False
        return Execution(answer["result"], stdout, stderr, self._usage(meter, answer))

    def _usage(self, meter: RunMeter, answer: dict[str, Any]) -> RunUsage:
        fuel = answer.get("fuel") if self._counts_fuel else None
        usage = meter.read(fuel if type(fuel) is int else None)
        self.resident_bytes = meter.used.resident_bytes
        self._charged = meter.charge
        return usage

    def holds(self, packages: Packages) -> None:
        """Note the packages that the process reads. They are released when it has ended."""
        self._packages = packages

    def close(self) -> None:
        """Kill the process and release its resources."""
        self._channel.close()
        self.process.close()
        packages, self._packages = self._packages, _NO_PACKAGES
        packages.release()

    def _answer(
        self,
        params: Object,
        context: dict[str, Any],
        timeout_ms: float,
        payload: dict[str, Any] | None,
    ) -> dict[str, Any]:
        watch = self._watch
        watch.begin(timeout_ms / 1000)
        try:
            if payload is not None:
                self._load(payload, "parse")
            return self.ask({"run": {"params": params, "context": context}})
        except FrameError as error:
            self._end()
            if watch.late:
                raise self._timed_out(timeout_ms) from None
            if watch.breach is None:
                _check_read(error)
            raise self._broken(error, timeout_ms) from None
        except gevent.GreenletExit:
            self._end()  # the client has hung up
            raise
        finally:
            watch.end()

    def _load(self, payload: dict[str, Any], stage: str) -> None:
        answer = self.ask({"load": payload, "result_max_bytes": self._result_max_bytes})
        if answer.get("loaded") is not True:
            raise initialization_failure(self._packages.told(answer.get("error")), stage, self._allowed)
        self.loaded = True

    def _take_output(self) -> tuple[str, str]:
        stdout, stderr = self.process.take_output()
        return self._packages.shown(stdout), self._packages.shown(stderr)

    def _end(self) -> None:
        self.process.kill()
        self.process.wait()

    def _timed_out(self, timeout_ms: float) -> ServiceError:
        stdout, stderr = self._take_output()
        waiting = self._channel.waiting
        why = _WAITED_FOR.get(waiting) if isinstance(waiting, str) else None
        return ScriptTimeout(
            f"the script ran longer than {timeout_ms:.0f} ms" + (f": {why}" if why else ""),
            timeout_ms=timeout_ms,
            stdout=stdout,
            stderr=stderr,
        )

    def _broken(self, error: FrameError, timeout_ms: float) -> ServiceError:
        """Return the error of a run without a valid answer: the script may have ended the process or forged one."""
        output = self._take_output()
        status = self.process.wait()
        if breach := self._watch.breach:
            return broken_run(breach.kind, breach.message, *output, self._allowed)
        if isinstance(error, (TooDeep, OutOfRange)):
            return broken_run("result_not_json", f"the result is {error}", *output, self._allowed)
        return ended_run(status, timeout_ms, *output, self._allowed)


def _check_read(error: FrameError) -> None:
    """Raise WorkerLost if the process has not read its request."""
    if isinstance(error, Unread):
        raise WorkerLost("the process of the script ended before its call") from None
