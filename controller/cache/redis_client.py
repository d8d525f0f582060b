"""RedisClient: commands and scripts on one shared connection, which is opened when it is needed."""

import hashlib
from collections.abc import Callable, Sequence
from importlib.resources import files
from time import monotonic
from typing import Any

import gevent
import hiredis
from gevent import Greenlet
from gevent.hub import Waiter

from controller.cache.redis_connection import Connection
from controller.cache.redis_url import Argument, RedisAddress, encode
from controller.errors import CacheUnavailable

#: Seconds without a new attempt after a failed one.
PAUSE = 0.2
#: Posted scripts without a reply, after which the next one waits for them.
UNANSWERED = 1000


class LuaScript:
    """A Lua script, joined from the named files, and its SHA-1, by which Redis knows it."""

    def __init__(self, *names: str) -> None:
        folder = files("controller.cache")
        self.text = "".join(folder.joinpath(f"{name}.lua").read_text() for name in names)
        self.digest = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


class RedisClient:
    """Sends commands that do not block. No command is sent twice.

    Args:
        url: see `RedisAddress`.
        timeout: seconds to wait for a connection and for a reply.
        posted: the scripts that are posted. Redis knows them before anything else is sent: a script that it did not
            know would be sent twice, and commands sent in between would come first.
    """

    def __init__(self, url: str, timeout: float, posted: Sequence[LuaScript] = ()) -> None:
        self._address = RedisAddress(url)
        self._timeout = timeout
        self._posted = posted
        self._connection: Connection | None = None
        #: Posted scripts without a reply.
        self.unanswered = 0
        #: Connections opened so far.
        self.opened = 0
        self._attempt: Greenlet[..., None] | None = None
        self._failure = ""
        self._next_attempt = 0.0

    def call(self, *command: Argument) -> Any:
        """Return the reply to a command.

        Raises:
            CacheUnavailable: there was no reply, or Redis refused the command.
        """
        connection = self._connection
        if connection is None or not connection.usable():
            connection = self._opened()
        reply = connection.ask(encode(command))
        if isinstance(reply, hiredis.ReplyError):
            raise self._refused(reply)
        return reply

    def run(self, script: LuaScript, keys: tuple[str, ...], *arguments: Argument) -> Any:
        """Run a script and return its reply. Send the script first if Redis does not know it.

        Raises:
            CacheUnavailable: there was no reply, or Redis refused the script.
        """
        parts = (len(keys), *keys, *arguments)
        connection = self._connection
        if connection is None or not connection.usable():
            connection = self._opened()
        reply = connection.ask(encode(("EVALSHA", script.digest, *parts)))
        if isinstance(reply, hiredis.ReplyError):
            if not str(reply).startswith("NOSCRIPT"):
                raise self._refused(reply)
            return self.call("EVAL", script.text, *parts)
        return reply

    def post(
        self,
        script: LuaScript,
        keys: tuple[str, ...],
        *arguments: Argument,
        ended: Callable[[Any], None],
        later: bool = False,
    ) -> None:
        """Send a script and do not wait for its reply. If too many are unanswered, wait for those.

        Args:
            script: the script.
            keys: its keys.
            arguments: its arguments.
            ended: called once, with the reply or with CacheUnavailable. It must not wait.
            later: whether the next command may take it along, see `Connection.post`.

        Raises:
            CacheUnavailable: the script was not sent.
        """
        if self.unanswered >= UNANSWERED:
            self.call("PING")
        connection = self._connection
        if connection is None or not connection.usable():
            connection = self._opened()
        _Posted(self, connection, script, (len(keys), *keys, *arguments), ended).send(later=later)

    def _refused(self, reply: hiredis.ReplyError) -> CacheUnavailable:
        if str(reply).startswith("READONLY") and self._connection is not None:
            # The server has become a replica. Its host name may point to another server now.
            self._connection.close(str(reply))
        return CacheUnavailable(str(reply))

    def _opened(self) -> Connection:
        """Return the connection. One greenlet opens it, others wait."""
        if self._attempt is None:
            if monotonic() < self._next_attempt:
                raise CacheUnavailable(self._failure)
            self._attempt = gevent.spawn(self._open)
        self._attempt.join()
        if self._connection is None or self._connection.closed:
            raise CacheUnavailable(self._failure or "the connection was closed")
        return self._connection

    def _open(self) -> None:
        try:
            connection = Connection(self._address.connect(self._timeout), self._timeout)
            for script in self._posted:
                connection.post(encode(("SCRIPT", "LOAD", script.text)), Waiter())
            self._connection = connection
            self._failure = ""
            self.opened += 1
        except (OSError, hiredis.ProtocolError) as error:
            self._failure = str(error)
            self._next_attempt = monotonic() + PAUSE
        finally:
            self._attempt = None


class _Posted:
    """A script that no greenlet waits for: the receiver of its reply."""

    def __init__(
        self,
        client: RedisClient,
        connection: Connection,
        script: LuaScript,
        parts: tuple[Argument, ...],
        ended: Callable[[Any], None],
    ) -> None:
        self._client = client
        self._connection = connection
        self._script = script
        self._parts = parts
        self._ended: Callable[[Any], None] | None = ended
        self._whole = False

    def send(self, *, later: bool) -> None:
        """Send the script by its digest."""
        self._connection.post(encode(("EVALSHA", self._script.digest, *self._parts)), self, later=later)
        self._client.unanswered += 1

    def switch(self, reply: Any, /) -> None:
        """Take the reply. If Redis does not know the script, send it whole."""
        if not isinstance(reply, hiredis.ReplyError):
            self._end(reply)
        elif str(reply).startswith("NOSCRIPT") and not self._whole and not self._connection.closed:
            self._whole = True
            self._connection.post(encode(("EVAL", self._script.text, *self._parts)), self)
        else:
            self._end(CacheUnavailable(str(reply)))

    def throw(self, error: CacheUnavailable, /) -> None:
        """Take the reason why there is no reply in time. It may come later, and with it another reason."""
        self._end(error)

    def _end(self, reply: Any) -> None:
        if self._ended is not None:
            ended, self._ended = self._ended, None
            self._client.unanswered -= 1
            ended(reply)
