"""The one connection to Redis, and what a real server and the way to it can do to it."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import gevent
import pytest
import trustme
from gevent import socket, ssl
from gevent.server import StreamServer
from redis import Redis

from controller.cache.backend import ExecutionKeys, Finish, Window
from controller.cache.redis import RedisBackend
from controller.cache.redis_client import PAUSE, UNANSWERED, RedisClient
from controller.cache.redis_connection import IDLE
from controller.errors import CacheUnavailable
from local.stores.redis import RedisServer
from telemetry.operation_timer import OperationTimer
from tests.waiting import until_greenlets

#: Seconds in which Redis surely answers on a busy machine, and those after which a test gives a silent one up.
PATIENCE = 60
#: Seconds for a Redis that must not answer.
HANGING = 5
TIMEOUT = 0.5


@pytest.fixture
def server(own_redis_server: RedisServer) -> Iterator[RedisServer]:
    yield own_redis_server
    if own_redis_server.alive:
        os.kill(own_redis_server.pid, signal.SIGCONT)


@pytest.fixture
def client(server: RedisServer) -> RedisClient:
    return RedisClient(server.url, PATIENCE)


@pytest.fixture
def admin(server: RedisServer) -> Redis:
    return Redis.from_url(server.url)


def outcomes(work: Callable[[int], Any], count: int) -> list[Any]:
    """What each of `count` greenlets got: its result or its error."""

    def outcome(number: int) -> Any:
        try:
            return work(number)
        except CacheUnavailable as error:
            return error

    waiting = [gevent.spawn(outcome, number) for number in range(count)]
    gevent.joinall(waiting, timeout=60)
    return [each.value for each in waiting]


def connections(admin: Redis) -> int:
    """How many there are besides the one that asks."""
    return len(admin.client_list()) - 1


def fill(client: RedisClient, count: int) -> None:
    for number in range(count):
        client.call("SET", f"key:{number}", number)


def own(client: RedisClient) -> Callable[[int], Any]:
    return lambda number: client.call("GET", f"key:{number}")


def test_hundreds_share_one_connection_and_each_gets_its_own(client: RedisClient, admin: Redis) -> None:
    fill(client, 200)
    assert outcomes(own(client), 200) == [b"%d" % number for number in range(200)]
    assert connections(admin) == 1


def test_greenlets_killed_while_waiting_cost_no_other_its_reply(client: RedisClient, admin: Redis) -> None:
    fill(client, 200)
    waiting = [gevent.spawn(own(client), number) for number in range(200)]
    gevent.sleep(0)
    gevent.killall(waiting[::3], block=False)
    gevent.joinall(waiting, timeout=60)
    assert [each.value for each in waiting[1::3]] == [b"%d" % number for number in range(200)[1::3]]
    assert outcomes(own(client), 200) == [b"%d" % number for number in range(200)]
    assert connections(admin) == 1


def test_a_server_that_hangs_is_given_up_and_its_late_replies_are_dropped(server: RedisServer) -> None:
    fill(RedisClient(server.url, PATIENCE), 50)
    client = RedisClient(server.url, TIMEOUT)
    until_it_answers(client)
    os.kill(server.pid, signal.SIGSTOP)
    started = time.monotonic()
    told = outcomes(lambda _: client.call("GET", "key:0"), 50)
    assert {type(each) for each in told} == {CacheUnavailable}
    assert TIMEOUT <= time.monotonic() - started < TIMEOUT * 25
    os.kill(server.pid, signal.SIGCONT)
    until_it_answers(client)
    told = outcomes(own(client), 50)
    late = [each for number, each in enumerate(told) if each != b"%d" % number]
    assert all(isinstance(each, CacheUnavailable) for each in late), (
        "a late reply was taken for another command's"
    )


def test_all_waits_for_a_killed_server_end_immediately(server: RedisServer, client: RedisClient) -> None:
    fill(client, 50)
    os.kill(server.pid, signal.SIGSTOP)
    waiting = gevent.spawn(outcomes, own(client), 50)
    gevent.sleep(0)
    gevent.sleep(0)
    started = time.monotonic()
    os.kill(server.pid, signal.SIGKILL)
    assert {type(each) for each in waiting.get()} == {CacheUnavailable}
    assert time.monotonic() - started < 30
    server.stop()
    server.start()
    until_it_answers(client)
    fill(client, 50)  # a killed server has lost what it had not yet written to its file
    assert outcomes(own(client), 50) == [b"%d" % number for number in range(50)]


@pytest.mark.parametrize(
    "pause", [gevent.sleep, time.sleep], ids=["the loop goes on", "the loop stands still"]
)
def test_a_connection_that_ended_while_it_was_idle_is_replaced_unseen(
    client: RedisClient, admin: Redis, pause: Callable[[float], None]
) -> None:
    for _ in range(3):
        client.call("INCR", "counted")
        admin.client_kill_filter(_type="normal", skipme=True)
        pause(IDLE * 2)
    client.call("INCR", "counted")
    assert client.call("GET", "counted") == b"4"


def test_a_command_with_an_unknown_outcome_is_not_sent_again(server: RedisServer, admin: Redis) -> None:
    client = RedisClient(server.url, HANGING)
    client.call("PING")
    os.kill(server.pid, signal.SIGSTOP)
    with pytest.raises(CacheUnavailable):
        client.call("INCR", "counted")
    os.kill(server.pid, signal.SIGCONT)
    until_it_answers(client)
    assert admin.get("counted") == b"1"


def test_a_script_that_redis_has_forgotten_is_told_again(server: RedisServer, admin: Redis) -> None:
    backend = RedisBackend(server.url, PATIENCE)
    window = Window("window", 1000, 60_000)
    for _ in range(2):
        quotas = outcomes(lambda _: backend.take(window), 50)
        assert {quota.allowed for quota in quotas} == {True}
        admin.script_flush()
    assert backend.take(window).remaining == 1000 - 101
    assert admin.llen("window") == 101


def test_large_values_pass_beside_small_ones(client: RedisClient) -> None:
    large = [os.urandom(5 << 20) for _ in range(4)]

    def work(number: int) -> bool:
        if number % 20:
            return bool(client.call("ECHO", number) == b"%d" % number)
        client.call("SET", f"large:{number}", large[number // 20])
        return bool(client.call("GET", f"large:{number}") == large[number // 20])

    assert outcomes(work, 80) == [True] * 80


def test_what_redis_refuses_is_unavailable_and_the_connection_stays(
    client: RedisClient, admin: Redis
) -> None:
    client.call("SET", "kept", "x")
    admin.config_set("maxmemory-policy", "noeviction")
    admin.config_set("maxmemory", 1)
    with pytest.raises(CacheUnavailable, match="OOM"):
        client.call("SET", "more", "x")
    assert client.call("GET", "kept") == b"x"
    assert admin.info("stats")["total_connections_received"] == 3, "one of them asked whether it was up"


def test_a_server_that_became_a_replica_is_left(client: RedisClient, admin: Redis) -> None:
    client.call("PING")
    admin.replicaof("127.0.0.1", 1)
    with pytest.raises(CacheUnavailable, match="READONLY"):
        client.call("SET", "a", "x")
    admin.replicaof("NO", "ONE")
    client.call("SET", "a", "x")


def test_user_password_and_database_are_those_of_the_url(server: RedisServer, admin: Redis) -> None:
    port = server.port
    admin.acl_setuser("someone", enabled=True, passwords=["+p@ss word"], keys=["*"], commands=["+@all"])
    client = RedisClient(f"redis://someone:p%40ss%20word@127.0.0.1:{port}/3?client_name=ours", PATIENCE)
    assert client.call("ACL", "WHOAMI") == b"someone"
    assert client.call("CLIENT", "GETNAME") == b"ours"
    client.call("SET", "where", "x")
    assert Redis(port=port, db=3).get("where") == b"x"
    with pytest.raises(CacheUnavailable, match="WRONGPASS"):
        RedisClient(f"redis://someone:wrong@127.0.0.1:{port}", PATIENCE).call("PING")
    admin.config_set("requirepass", "secret")
    with pytest.raises(CacheUnavailable, match="NOAUTH"):
        RedisClient(server.url, PATIENCE).call("PING")
    assert RedisClient(f"redis://:secret@127.0.0.1:{port}", PATIENCE).call("PING") == b"PONG"


@pytest.mark.parametrize(
    "url", ["http://redis", "redis.example:6379", "redis://host:port", "rediss://h?ssl_cert_reqs=x"]
)
def test_what_is_no_address_is_refused_at_the_start(url: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        RedisClient(url, TIMEOUT)


def relay(near: socket.socket, address: Any) -> None:
    """Passes bytes on between a connection and Redis until one of them closes."""
    far = socket.socket(socket.AF_INET)
    far.connect(address)
    gevent.spawn(pump, far, near)
    pump(near, far)


def pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
    except OSError:
        pass
    finally:
        target.close()


def test_redis_behind_tls(server: RedisServer, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    front = StreamServer(
        ("127.0.0.1", 0), lambda near, _: relay(near, ("127.0.0.1", server.port)), ssl_context=context
    )
    front.start()
    large = os.urandom(1 << 20)
    url = f"rediss://localhost:{front.server_port}?ssl_ca_certs={tmp_path / 'ca.pem'}"
    try:
        client = RedisClient(url, 5)
        assert outcomes(lambda number: client.call("ECHO", number), 50) == [b"%d" % n for n in range(50)]
        client.call("SET", "large", large)
        assert client.call("GET", "large") == large
        with pytest.raises(CacheUnavailable, match="certificate verify failed"):
            RedisClient(f"rediss://localhost:{front.server_port}", 5).call("PING")
    finally:
        front.stop()


def test_redis_at_a_socket_in_the_file_system(server: RedisServer, tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "redis.sock"))
    listener.listen()
    front = StreamServer(listener, lambda near, _: relay(near, ("127.0.0.1", server.port)))
    front.start()
    try:
        assert RedisClient(f"unix://{tmp_path}/redis.sock?db=2", PATIENCE).call("PING") == b"PONG"
    finally:
        front.stop()


class Door:
    """Accepts connections and says nothing, or closes them."""

    def __init__(self, *, closes: bool) -> None:
        self._closes = closes
        self._open: list[socket.socket] = []
        self.accepted = 0
        self._server = StreamServer(("127.0.0.1", 0), self._serve)
        self._server.start()

    def _serve(self, connection: socket.socket, _: object) -> None:
        self.accepted += 1
        if not self._closes:
            self._open.append(connection)
            while connection.recv(1 << 16):
                pass

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        self._server.stop(timeout=0)


@pytest.mark.parametrize("closes", [True, False])
def test_a_crowd_makes_one_attempt_to_connect(closes: bool) -> None:
    door = Door(closes=closes)
    client = RedisClient(door.url, TIMEOUT)
    started = time.monotonic()
    for _ in range(3):
        told = outcomes(lambda _: client.call("PING"), 100)
        assert {type(each) for each in told} == {CacheUnavailable}
    took = time.monotonic() - started
    # Together: one after the other they would take a hundred times as long.
    assert took < TIMEOUT * 100
    # A pause follows each attempt, however long a busy machine takes for the crowds.
    assert 1 <= door.accepted <= 1 + took // PAUSE
    door.stop()


def test_a_greenlet_killed_while_connecting_does_not_end_the_connection(server: RedisServer) -> None:
    client = RedisClient(server.url, TIMEOUT)
    first, second = (gevent.spawn(client.call, "PING") for _ in range(2))
    gevent.sleep(0)
    first.kill()
    assert second.get(timeout=60) == b"PONG"


def until_it_answers(client: RedisClient) -> None:
    with gevent.Timeout(60):
        while outcomes(lambda _: client.call("PING"), 1) != [b"PONG"]:
            gevent.sleep(0.02)


@pytest.mark.parametrize("gone", [0, 1, 2, 3, 7, 1000, 1023, 1024])
@pytest.mark.parametrize("left", [0, 1, 5])
def test_all_that_has_left_a_window_goes_and_nothing_else(
    redis_server: RedisServer, gone: int, left: int
) -> None:
    admin, key = Redis.from_url(redis_server.url), f"window-{gone}-{left}"
    present = int(time.time() * 1000)
    times = [present - 120_000] * gone + [present - 1_000] * left
    if times:
        admin.rpush(key, *times)

    quota = RedisBackend(redis_server.url, PATIENCE).take(Window(key, 10, 60_000))

    assert (quota.allowed, quota.remaining) == (True, 9 - left)
    assert admin.llen(key) == left + 1


class Failures(OperationTimer):
    """Counts what failed."""

    def __init__(self) -> None:
        self.failures: list[str] = []

    def failed(self, operation: str) -> None:
        self.failures.append(operation)


def ended(number: int) -> tuple[ExecutionKeys, Finish, datetime]:
    """The end of an execution with a result."""
    keys = ExecutionKeys(
        session="v2:session:s",
        result=f"v2:result:{number}",
        flight=f"v2:flight:{number}",
        results_index="v2:results:s",
        token=f"here/{number}",
        lease_ms=60_000,
        reuse=True,
        once=False,
    )
    return keys, Finish(b"1", 60, executed=True), datetime.now(UTC)


def test_an_end_that_is_not_waited_for_tells_a_forgotten_script_again(
    server: RedisServer, admin: Redis
) -> None:
    backend = RedisBackend(server.url, PATIENCE)
    for number in range(2):
        backend.finish_later(*ended(number))
        with gevent.Timeout(PATIENCE):
            while backend.get(f"v2:result:{number}") is None:
                gevent.sleep(0.01)
        admin.script_flush()


def test_an_end_comes_before_what_follows_where_redis_knows_no_script(
    server: RedisServer, admin: Redis
) -> None:
    for number in range(3):
        admin.script_flush()
        backend = RedisBackend(server.url, PATIENCE)
        backend.finish_later(*ended(number))
        assert backend.get(f"v2:result:{number}") == b"1"


def test_an_end_that_is_lost_is_counted(server: RedisServer) -> None:
    timer = Failures()
    backend = RedisBackend(server.url, TIMEOUT, timer)
    backend.ping()
    os.kill(server.pid, signal.SIGSTOP)
    for number in range(10):
        backend.finish_later(*ended(number))
    assert timer.failures == []
    until_greenlets(lambda: timer.failures == ["finish"] * 10, "all are given up")
    os.kill(server.pid, signal.SIGCONT)


def test_ends_that_are_not_waited_for_are_bounded(server: RedisServer) -> None:
    backend = RedisBackend(server.url, TIMEOUT)
    backend.ping()
    os.kill(server.pid, signal.SIGSTOP)
    for number in range(UNANSWERED):
        backend.finish_later(*ended(number))
    with pytest.raises(CacheUnavailable):
        backend.finish_later(*ended(UNANSWERED))
    os.kill(server.pid, signal.SIGCONT)
