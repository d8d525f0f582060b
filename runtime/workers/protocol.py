"""The dialogue a worker process holds with the front, for workers written in Python.

Front to worker, one frame each:
    {"id": N, "rehearse": true}                       get ready, while nobody waits; at most once, before load
    {"id": N, "load": {...}, "result_max_bytes": N}   parse or instantiate; run nothing of the script
    {"id": N, "run": {"params": {...}, "context": {...}}}
Worker to front, exactly one frame for each of them, with its id:
    {"id": N, "rehearsed": true}
    {"id": N, "loaded": true}                  after load
    {"id": N, "result": <JSON value>}          after run
    {"id": N, "error": {"message": str, ...}}  after either; the other keys are `Verdict`'s, null when unknown
An answer after run may have more members, what the run has used in the program's own units:
    {"id": N, "result": ..., "fuel": N}

The id keeps what a script wrote to our descriptor from passing for the answer to a later run.

A worker program is a module with a class `Program` (see the Protocol below). The fork server imports the module
once, so its imports are paid before the first fork; the child makes a `Program` and hands it to `serve`.
`node_worker.mjs` speaks the same dialogue on descriptor 3.
"""

import os
import sys
from typing import Any, Protocol

from runtime.frames import Channel, ChannelClosed, encode

#: Messages and traces longer than this are cut: an exception's text may hold megabytes.
MAX_TEXT = 16 * 1024


class Verdict(Exception):
    """What is wrong with the script or its run: an answer to the front, no fault of the worker.

    `kind` is one of exception, memory_limit, output_limit, process_limit, result_not_json (run only).
    `type` is the error's class as the language names it. `line` and `column` count from 1 in the script as the
    user sent it. `diagnostics` is a list of {"message", "line", "column"} (load only).
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
        }


class Program(Protocol):
    """One script in one process: `load` is called once, then `run` once per execution.

    Inherit from it to have the defaults.
    """

    def rehearse(self) -> None:
        """Go through what a first call goes through, with a script of our own, and forget it.

        Interpreters do much of their work when something is done for the first time, and forks copy memory then.
        """

    def load(self, payload: dict[str, Any]) -> None:
        """Take the language's load payload; run nothing of the script. Raises Verdict."""

    def run(self, params: dict[str, Any], context: dict[str, Any]) -> bytes:
        """Execute once; the result as JSON in UTF-8. Raises Verdict."""

    def usage(self) -> dict[str, int]:
        """What the last run has used that the kernel does not count, by the names it has in the answer."""
        return {}


def serve(channel: Channel, program: Program) -> None:
    """Answer the front until it closes its end."""
    result_max_bytes = 0
    process = os.getpid()
    while True:
        try:
            message = channel.receive()
        except ChannelClosed:
            return
        if "load" in message:
            result_max_bytes = message["result_max_bytes"]
        answer = _answer(program, message, result_max_bytes)
        if "run" in message and (usage := program.usage()):
            answer += b"".join(b',"%b":%d' % (name.encode(), used) for name, used in usage.items())
        if os.getpid() != process:
            return  # the script forked, and this copy of us has nothing to say
        channel.send_encoded(b'{"id":%d,%b}' % (message["id"], answer))


def _answer(program: Program, message: dict[str, Any], result_max_bytes: int) -> bytes:
    """The answer's member that says what came of it."""
    try:
        if "rehearse" in message:
            program.rehearse()
            return b'"rehearsed":true'
        if "load" in message:
            program.load(message["load"])
            return b'"loaded":true'
        result = program.run(**message["run"])
        if len(result) > result_max_bytes:
            raise Verdict(
                f"the result has {len(result)} bytes, the limit is {result_max_bytes}", kind="output_limit"
            )
        return b'"result":' + result
    except Verdict as verdict:
        return b'"error":' + encode(verdict.answer)
    finally:
        _flush_output()


def _flush_output() -> None:
    """Push out what the script printed, so that it belongs to this run. The script may have broken the streams."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:  # noqa: BLE001, S112 - a stream that the script closed or replaced is its own affair
            continue


def shortened(text: str) -> str:
    """The text, or its head and tail with the count of characters left out between them."""
    if len(text) <= MAX_TEXT:
        return text
    half = MAX_TEXT // 2
    return f"{text[:half]}\n... {len(text) - 2 * half} characters left out ...\n{text[-half:]}"
