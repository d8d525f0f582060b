"""The client for asyncio, over kept connections of aiohttp."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import replace
from math import inf
from typing import Any, Concatenate, ParamSpec, TypeVar

import aiohttp
from yarl import URL

from lambda_ms import calls
from lambda_ms.answers import ExecuteAnswer
from lambda_ms.call import Call
from lambda_ms.client import AHEAD, ANSWER_TIMEOUT, CONNECT_TIMEOUT, address, default_headers, method_of, read
from lambda_ms.errors import LambdaError, ScriptError, Unreachable
from lambda_ms.retries import Course, Retries

T = TypeVar("T")
P = ParamSpec("P")


def _awaited(build: Callable[P, Call[T]]) -> Callable[Concatenate["AsyncClient", P], Awaitable[T]]:
    def method(self: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        return self.send(build(*args, **kwargs))

    return method_of(build, method)


class AsyncClient:
    """Calls a service from one event loop. A call that is cancelled ends its run.

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
        self._headers = default_headers(token)
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT, sock_read=timeout)
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def send(self, call: Call[T], retries: Retries | None = None) -> T:
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
                return read(call, *await self.exchange(call))
            except LambdaError as error:
                await asyncio.sleep(course.pause(error))

    async def exchange(self, call: Call[Any]) -> tuple[int, Mapping[str, str], bytes]:
        """Send a call once. Return the answer's status, headers and body. Raises Unreachable."""
        headers = call.headers if call.body is None else {**call.headers, "Content-Type": "application/json"}
        url = URL(self.url + call.path, encoded=True)
        try:
            async with self._session().request(
                call.method, url, data=call.body, headers=headers, allow_redirects=False
            ) as answer:
                return answer.status, answer.headers, await answer.read()
        except aiohttp.ClientConnectorError as error:
            raise Unreachable(f"cannot connect to {self.url}: {error.os_error}", sent=False) from error
        except aiohttp.ConnectionTimeoutError as error:
            raise Unreachable(f"cannot connect to {self.url} in time", sent=False) from error
        except TimeoutError as error:
            raise Unreachable(f"{self.url} did not answer in time", sent=True) from error
        except aiohttp.ClientError as error:
            raise Unreachable(f"the connection to {self.url} failed: {error}", sent=True) from error

    def _session(self) -> aiohttp.ClientSession:
        """Return the connections. They belong to the event loop that runs, so they are made with the first call."""
        if self._http is None:
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                headers=self._headers,
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._http

    async def map(
        self,
        function: str,
        items: Iterable[Mapping[str, Any]],
        *,
        concurrency: int = 8,
        keys: Callable[[Mapping[str, Any]], str] | None = None,
        cache: str | None = None,
    ) -> AsyncIterator[ExecuteAnswer]:
        """Run a function for each item, several at a time. The answers come in the order of the items.

        The parameters are those of `Client.map`.
        """
        found = self.outcomes(function, items, concurrency=concurrency, keys=keys, cache=cache)
        async with aclosing(found) as outcomes:
            async for outcome in outcomes:
                if isinstance(outcome, ScriptError):
                    raise outcome
                yield outcome

    async def outcomes(
        self,
        function: str,
        items: Iterable[Mapping[str, Any]],
        *,
        concurrency: int = 8,
        keys: Callable[[Mapping[str, Any]], str] | None = None,
        cache: str | None = None,
    ) -> AsyncGenerator[ExecuteAnswer | ScriptError, None]:
        """Do what `map` does, and give an error of the script in its item's place.

        Calls under way are cancelled when the caller stops before the end.
        """
        retries = replace(self._retries, patience=inf)
        places = asyncio.Semaphore(concurrency)

        async def one(params: Mapping[str, Any]) -> ExecuteAnswer | ScriptError:
            key = None if keys is None else keys(params)
            async with places:
                try:
                    return await self.send(calls.run(function, params, key=key, cache=cache), retries)
                except ScriptError as error:
                    return error

        begun: deque[asyncio.Task[ExecuteAnswer | ScriptError]] = deque()
        try:
            for params in items:
                begun.append(asyncio.ensure_future(one(params)))
                if len(begun) >= AHEAD * concurrency:
                    yield await begun[0]
                    begun.popleft()
            while begun:
                yield await begun[0]
                begun.popleft()
        finally:
            for task in begun:
                task.cancel()
            await asyncio.gather(*begun, return_exceptions=True)

    initialize = _awaited(calls.initialize)
    execute = _awaited(calls.execute)
    run = _awaited(calls.run)
    session = _awaited(calls.session)
    end_session = _awaited(calls.end_session)
    functions = _awaited(calls.functions)
    function = _awaited(calls.function)
    put_function = _awaited(calls.put_function)
    deploy = _awaited(calls.deploy)
    delete_function = _awaited(calls.delete_function)
    versions = _awaited(calls.versions)
    aliases = _awaited(calls.aliases)
    alias = _awaited(calls.alias)
    put_alias = _awaited(calls.put_alias)
    delete_alias = _awaited(calls.delete_alias)
    create_key = _awaited(calls.create_key)
    keys = _awaited(calls.keys)
    delete_key = _awaited(calls.delete_key)
    environment = _awaited(calls.environment)
    usage = _awaited(calls.usage)
    executions = _awaited(calls.executions)
    isolation = _awaited(calls.isolation)
    health = _awaited(calls.health)
