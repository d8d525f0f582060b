"""The client that waits for each answer, over kept connections of urllib3."""

import functools
import inspect
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from math import inf
from typing import Any, Concatenate, ParamSpec, TypeVar
from urllib.parse import urlsplit

import msgspec
import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ReadTimeoutError,
)

from lambda_ms import calls
from lambda_ms.answers import ExecuteAnswer
from lambda_ms.call import Call
from lambda_ms.errors import LambdaError, ScriptError, UnexpectedAnswer, Unreachable, error_of
from lambda_ms.retries import Course, Retries
from lambda_ms.version import __version__

T = TypeVar("T")
P = ParamSpec("P")
S = TypeVar("S")
#: Seconds: for a connection, and for an answer, which may take a script's whole deadline.
CONNECT_TIMEOUT = 10.0
ANSWER_TIMEOUT = 330.0
#: Connections that stay open between calls.
KEPT = 128
#: Items of a `map` that are begun ahead of the result that is waited for, as a multiple of its concurrency.
AHEAD = 4


def default_headers(token: str | None) -> dict[str, str]:
    """Return the headers of every request."""
    headers = {"User-Agent": f"lambda-ms-python/{__version__}", "Accept-Encoding": "identity"}
    return headers if token is None else {**headers, "Authorization": f"Bearer {token}"}


def address(url: str) -> str:
    """Return a service's address without the slash at its end. Raises ValueError if it is none."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{url!r} is no address: it begins with http:// or https://")
    return url.rstrip("/")


def read(call: Call[T], status: int, headers: Mapping[str, str], body: bytes) -> T:
    """Return a call's answer. Raises ServiceError or UnexpectedAnswer if it is none."""
    if status // 100 != 2 and status != call.accepted:
        raise error_of(status, headers, body)
    try:
        return call.read(body)
    except msgspec.DecodeError as error:
        raise UnexpectedAnswer(
            f"the answer to {call.method} {call.path} is not as expected: {error}", status
        ) from error


def method_of(
    build: Callable[P, object], method: Callable[Concatenate[S, P], T]
) -> Callable[Concatenate[S, P], T]:
    """Give a method the name, the text and the parameters of the call that it makes."""
    functools.update_wrapper(method, build)
    vars(method).pop("__wrapped__")  # it has no `self`
    parameters = inspect.signature(build).parameters.values()
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    method.__signature__ = inspect.Signature([itself, *parameters])  # type: ignore[attr-defined]
    return method


def _answered(build: Callable[P, Call[T]]) -> Callable[Concatenate["Client", P], T]:
    def method(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.send(build(*args, **kwargs))

    return method_of(build, method)


class Client:
    """Calls a service and waits for each answer. Threads may share one.

    Args:
        url: where the service is, `https://lambda.example.com`; behind a gateway with its path.
        token: a JWT or an API key; None: the calls have none.
        retries: which calls are repeated.
        timeout: seconds to wait for an answer.

    Raises:
        ValueError: `url` is no address.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        retries: Retries | None = None,
        timeout: float = ANSWER_TIMEOUT,
    ) -> None:
        self.url = address(url)
        self._retries = retries or Retries()
        self._prefix = urlsplit(self.url).path
        self._headers = default_headers(token)
        self._connections = urllib3.connection_from_url(
            self.url,
            maxsize=KEPT,
            retries=False,
            timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT, read=timeout),
        )

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()

    def send(self, call: Call[T], retries: Retries | None = None) -> T:
        """Make a call, and repeat it where that is safe.

        Args:
            call: one of `lambda_ms.calls`.
            retries: in place of the client's own.

        Raises:
            LambdaError: what the service refused, or why there was no answer.
        """
        course = Course(retries or self._retries, call)
        while True:
            try:
                return read(call, *self.exchange(call))
            except LambdaError as error:
                time.sleep(course.pause(error))

    def exchange(self, call: Call[Any]) -> tuple[int, Mapping[str, str], bytes]:
        """Send a call once. Return the answer's status, headers and body. Raises Unreachable."""
        headers = {**self._headers, **call.headers}
        if call.body is not None:
            headers["Content-Type"] = "application/json"
        try:
            answer = self._connections.urlopen(
                call.method, self._prefix + call.path, call.body, headers, redirect=False
            )
        except (NewConnectionError, ConnectTimeoutError) as error:
            raise Unreachable(f"cannot connect to {self.url}: {_reason(error)}", sent=False) from error
        except ReadTimeoutError as error:
            raise Unreachable(f"{self.url} did not answer in time", sent=True) from error
        except HTTPError as error:
            raise Unreachable(f"the connection to {self.url} failed: {_reason(error)}", sent=True) from error
        return answer.status, answer.headers, answer.data

    def map(
        self,
        function: str,
        items: Iterable[Mapping[str, Any]],
        *,
        concurrency: int = 8,
        keys: Callable[[Mapping[str, Any]], str] | None = None,
        cache: str | None = None,
    ) -> Iterator[ExecuteAnswer]:
        """Run a function for each item, several at a time. The answers come in the order of the items.

        A rate limit is waited for, however long that takes.

        Args:
            function: a reference, as `run` has it.
            items: the params of each call; thousands are read as they are needed.
            concurrency: calls at the same time.
            keys: makes an item's idempotency key, which lets its call be repeated.
            cache: as `run` has it.

        Raises:
            LambdaError: a call failed. Those that have not begun by then are not made.
        """
        for outcome in self.outcomes(function, items, concurrency=concurrency, keys=keys, cache=cache):
            if isinstance(outcome, ScriptError):
                raise outcome
            yield outcome

    def outcomes(
        self,
        function: str,
        items: Iterable[Mapping[str, Any]],
        *,
        concurrency: int = 8,
        keys: Callable[[Mapping[str, Any]], str] | None = None,
        cache: str | None = None,
    ) -> Iterator[ExecuteAnswer | ScriptError]:
        """Do what `map` does, and give an error of the script in its item's place."""
        retries = replace(self._retries, patience=inf)

        def one(params: Mapping[str, Any]) -> ExecuteAnswer | ScriptError:
            key = None if keys is None else keys(params)
            try:
                return self.send(calls.run(function, params, key=key, cache=cache), retries)
            except ScriptError as error:
                return error

        begun: deque[Future[ExecuteAnswer | ScriptError]] = deque()
        with ThreadPoolExecutor(concurrency) as threads:
            try:
                for params in items:
                    begun.append(threads.submit(one, params))
                    if len(begun) >= AHEAD * concurrency:
                        yield begun.popleft().result()
                while begun:
                    yield begun.popleft().result()
            finally:
                threads.shutdown(wait=False, cancel_futures=True)

    initialize = _answered(calls.initialize)
    execute = _answered(calls.execute)
    run = _answered(calls.run)
    session = _answered(calls.session)
    end_session = _answered(calls.end_session)
    functions = _answered(calls.functions)
    function = _answered(calls.function)
    put_function = _answered(calls.put_function)
    deploy = _answered(calls.deploy)
    delete_function = _answered(calls.delete_function)
    versions = _answered(calls.versions)
    aliases = _answered(calls.aliases)
    alias = _answered(calls.alias)
    put_alias = _answered(calls.put_alias)
    delete_alias = _answered(calls.delete_alias)
    create_key = _answered(calls.create_key)
    keys = _answered(calls.keys)
    delete_key = _answered(calls.delete_key)
    environment = _answered(calls.environment)
    usage = _answered(calls.usage)
    executions = _answered(calls.executions)
    isolation = _answered(calls.isolation)
    health = _answered(calls.health)


def _reason(error: HTTPError) -> str:
    """Return what the system said, without the objects that urllib3 names before it."""
    return str(error.__cause__ or error.__context__ or error)
