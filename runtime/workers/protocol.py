"""The protocol between a worker process and the front, for workers written in Python.

Front to worker, one frame each:
    {"id": N, "rehearse": true}                       warm up; at most once, before load
    {"id": N, "check": "source"}                      parse a script and forget it; never before or after load
    {"id": N, "load": {...}, "result_max_bytes": N}   parse or instantiate the script without running it
    {"id": N, "run": {"params": {...}, "context": {...}}}
Worker to front, exactly one answer to each of them, with its id:
    {"id": N, "rehearsed": true}
    {"id": N, "checked": true}                 after check
    {"id": N, "loaded": true}                  after load
    {"id": N, "result": <JSON value>}          after run
    {"id": N, "error": {"message": str, ...}}  after check, load or run; the keys of `ScriptError`, null if unknown
An answer after run may have more members: usage in units that only the program can measure:
    {"id": N, "result": ..., "fuel": N}
and `"spent": true` if the process must not serve another run, because this one has left something behind in it.
Before its answer to a run, a worker may send what it waits for, so that the error at the deadline can tell it:
    {"id": N, "waiting": "callback"}
The error may have what failed in the system: `"system": {"code", "syscall", "path"}`.

A script can write to the channel. The id prevents that such a frame counts as the answer to a later run.

A worker program is a module with a class `Program` (see the Protocol below). The fork server imports the module once,
before the first fork, so that the children need not. A child creates a `Program` and passes it to `serve`.
`node_worker.cjs` implements the same protocol on descriptor 3.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from runtime.frames import Channel, ChannelClosed, FrameError, decode, encode

#: Most characters of a message or a stack trace: the text of an exception may have megabytes.
MAX_TEXT = 16 * 1024


class ScriptError(Exception):
    """The script or its run failed. It is an answer to the front, not a failure of the worker.

    Args:
        message: What happened.
        kind: exception, memory_limit, output_limit, process_limit or result_not_json. Used for runs only.
        type: The error's class, as the language names it.
        line: The line in the script as the user sent it, from 1.
        column: The column in that line, from 1.
        stack_trace: The frames of the script.
        diagnostics: A list of {"message", "line", "column"}. Used for loads only.
        system: What the system refused: {"code": name of the error number, "syscall": str, "path": str}; the latter
            two only if they are known.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: str = "exception",
        type: str | None = None,  # noqa: A002 - the contract's name
        line: int | None = None,
        column: int | None = None,
        stack_trace: str | None = None,
        diagnostics: list[dict[str, Any]] | None = None,
        system: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.answer: dict[str, Any] = {
            "message": shortened(message),
            "kind": kind,
            "type": type,
            "line": line,
            "column": column,
            "stack_trace": None if stack_trace is None else shortened(stack_trace),
            "diagnostics": diagnostics,
            "system": system,
        }


class Program(Protocol):
    """One script in one process: `load` is called once, then `run` once per execution.

    Subclasses inherit the defaults.
    """

    def rehearse(self) -> None:
        """Load and run a script of our own, and forget it.

        This makes the first real run faster: an interpreter works more, and a fork copies memory, whenever something
        is done for the first time.
        """

    def check(self, source: str) -> None:
        """Find whether a script would load, and forget it. Raises ScriptError. Only where its language `checks`."""
        raise NotImplementedError

    def load(self, payload: dict[str, Any]) -> None:
        """Load the script from the language's load payload, without running it. Raises ScriptError."""

    def run(self, params: dict[str, Any], context: dict[str, Any]) -> bytes:
        """Execute the script once and return its result as JSON in UTF-8. Raises ScriptError."""

    def usage(self) -> dict[str, int]:
        """Return the usage of the last run that the kernel does not measure, by its names in the answer."""
        return {}

    def spent(self) -> bool:
        """Return whether the process must not serve another run."""
        return False


def serve(channel: Channel, program: Program) -> None:
    """Answer the front's requests until it closes its end."""
    result_max_bytes = 0
    process = os.getpid()
    while True:
        try:
            message = _received(channel)
        except ChannelClosed:
            return
        if "load" in message:
            result_max_bytes = message["result_max_bytes"]
        answer = _answer(program, message, result_max_bytes)
        if "run" in message:
            if usage := program.usage():
                answer += b"".join(b',"%b":%d' % (name.encode(), used) for name, used in usage.items())
            if program.spent():
                answer += b',"spent":true'
        if os.getpid() != process:
            return  # the script forked: this is the child, and only the parent answers
        channel.send_encoded(b'{"id":%d,%b}' % (message["id"], answer))


@contextmanager
def any_digits() -> Iterator[None]:
    """Lift Python's limit for the digits of integers inside a `with` block: requests and results have none."""
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        yield
    finally:
        sys.set_int_max_str_digits(limit)


def _received(channel: Channel) -> dict[str, Any]:
    body = channel.receive_encoded()
    try:
        return decode(body)
    except FrameError:  # an integer may have more digits than Python reads by default
        with any_digits():
            return decode(body)


def _answer(program: Program, message: dict[str, Any], result_max_bytes: int) -> bytes:
    """Serve a request. Return the member of the answer that has the outcome."""
    try:
        if "rehearse" in message:
            program.rehearse()
            return b'"rehearsed":true'
        if "check" in message:
            program.check(message["check"])
            return b'"checked":true'
        if "load" in message:
            program.load(message["load"])
            return b'"loaded":true'
        result = program.run(**message["run"])
        if len(result) > result_max_bytes:
            raise ScriptError(
                f"the result has {len(result)} bytes, the limit is {result_max_bytes}", kind="output_limit"
            )
        return b'"result":' + result
    except ScriptError as error:
        return b'"error":' + encode(error.answer)
    finally:
        _flush_output()


def _flush_output() -> None:
    """Flush what the script printed, so that it counts for this run. The script may have broken the streams."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:  # noqa: BLE001, S112 - the script may have closed or replaced the stream
            continue


def shortened(text: str) -> str:
    """Return a text, or the head and the tail of a long one with the number of characters left out."""
    if len(text) <= MAX_TEXT:
        return text
    half = MAX_TEXT // 2
    return f"{text[:half]}\n... {len(text) - 2 * half} characters left out ...\n{text[-half:]}"
