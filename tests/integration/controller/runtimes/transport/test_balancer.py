"""Balancer: which address is asked, what is sent twice and what never, and how many concurrently."""

import contextlib
import time
from collections.abc import Sequence

import gevent
import pytest

from controller.runtimes.responses import declined
from controller.runtimes.transport.balancer import Balancer, ranked
from controller.runtimes.transport.failures import (
    AnswerLate,
    CircuitOpen,
    NoFreeConnection,
    NothingRan,
    RequestFailed,
)
from controller.runtimes.transport.messages import Answer, Budget, Request
from tests.integration.controller.runtimes.transport.server import (
    OK,
    Exchange,
    Server,
    refusing_address,
    serving,
)
from tests.waiting import until_greenlets

RUN = Request("/runtime/python/x", b"{}")
PAUSE = 0.3
#: Seconds in which a call is sent, on a busy machine too.
OWN = 2.0


def send(
    balancer: Balancer, addresses: Sequence[str], key: str = "k", own: float = 5, script: float = 5
) -> Answer:
    return balancer.send(addresses, key, RUN, Budget.of(own, script), declined)


def balancing(connections: int = 8, failures: int = 3, pause: float = PAUSE) -> Balancer:
    return Balancer(connections, failures, pause)


def key_for(addresses: Sequence[str], first: str) -> str:
    """A key that prefers `first`."""
    return next(key for key in map(str, range(1000)) if ranked(addresses, key)[0] == first)


def test_a_key_sticks_to_its_address_and_moves_when_that_is_gone() -> None:
    with serving() as one, serving() as two:
        addresses = [one.address, two.address]
        balancer = balancing()
        key = key_for(addresses, one.address)
        for _ in range(5):
            send(balancer, addresses, key)
        assert (len(one.requests), len(two.requests), one.accepted) == (5, 0, 1)
        one.stop()
        for _ in range(5):
            assert send(balancer, addresses, key).body == b"ok"
        assert (len(one.requests), len(two.requests)) == (5, 5)


def test_an_idle_connection_that_the_peer_closed_fails_no_request() -> None:
    with serving() as server:
        balancer = balancing()
        for _ in range(3):
            send(balancer, [server.address])
            server.hang_up()
            gevent.sleep(0)
        assert len(server.requests) == 3


def test_a_connection_that_goes_stale_under_the_request_is_retried_once_on_a_fresh_one() -> None:
    """The peer closes after our look at the connection and before our bytes."""

    class ClosedUnderneath(Request, frozen=True):
        def encode(self, host: str, base_path: str) -> bytes:
            server.hang_up()
            return super().encode(host, base_path)

    with serving() as server:
        balancer = balancing()
        send(balancer, [server.address])
        answer = balancer.send([server.address], "k", ClosedUnderneath("/", b"{}"), Budget.of(5, 5), declined)
        assert answer.body == b"ok"
        assert (len(server.requests), server.accepted) == (2, 2)


@pytest.mark.parametrize(
    ("status", "code", "elsewhere"),
    [
        ("503 X", "RUNTIME_UNAVAILABLE", True),
        ("503 X", "INTERNAL_ERROR", False),
        ("500 X", "RUNTIME_UNAVAILABLE", False),
    ],
)
def test_a_runtime_that_says_it_runs_nothing_sends_its_keys_on(
    status: str, code: str, elsewhere: bool
) -> None:
    body = f'{{"error": {{"code": "{code}", "message": "ending", "details": {{}}}}}}'
    answer = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    with serving(lambda exchange: exchange.answer(answer)) as one, serving() as two:
        addresses = [one.address, two.address]
        given = send(balancing(), addresses, key_for(addresses, one.address))
        assert (given.status == 200) == elsewhere
        assert (len(one.requests), len(two.requests)) == (1, int(elsewhere))


def test_a_request_that_may_have_run_is_never_sent_again() -> None:
    def die(_: Exchange) -> bool:
        return True

    with serving(die) as one, serving(die) as two:
        with pytest.raises(RequestFailed) as failed:
            send(balancing(), [one.address, two.address])
        assert not isinstance(failed.value, NothingRan)
        assert len(one.requests) + len(two.requests) == 1


def test_there_is_one_retry_and_no_second() -> None:
    with serving() as server:
        addresses = [refusing_address(), refusing_address(), server.address]
        key = key_for(addresses, addresses[0])
        expected = ranked(addresses, key).index(server.address)
        balancer = balancing()
        if expected == 1:
            assert send(balancer, addresses, key).body == b"ok"
        else:
            with pytest.raises(NothingRan):
                send(balancer, addresses, key)
            assert server.accepted == 0


def test_where_one_address_swallows_connections_the_next_is_asked_in_time() -> None:
    with gevent.socket.socket() as listener, serving() as server:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [gevent.socket.socket() for _ in range(2)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        addresses = [f"http://127.0.0.1:{listener.getsockname()[1]}", server.address]
        # The budget is for both.
        assert send(balancing(), addresses, key_for(addresses, addresses[0]), own=3).body == b"ok"
        for one in waiting:
            one.close()


def test_a_circuit_opens_after_failures_and_lets_one_request_through_later() -> None:
    healthy = False
    release = gevent.event.Event()

    def manner(exchange: Exchange) -> bool:
        if not healthy:
            return True
        release.wait()
        exchange.answer()
        return False

    with serving(manner) as server:
        balancer = balancing(failures=3)
        for _ in range(3):
            with pytest.raises(RequestFailed):
                send(balancer, [server.address])
        with pytest.raises(CircuitOpen):
            send(balancer, [server.address])
        assert len(server.requests) == 3
        gevent.sleep(PAUSE)
        healthy = True
        calls = [gevent.spawn(send, balancer, [server.address]) for _ in range(10)]
        until_greenlets(lambda: sum(call.ready() for call in calls) == 9, "nine are refused")
        release.set()
        gevent.joinall(calls, timeout=60)
        assert sorted(type(call.exception).__name__ for call in calls) == 9 * ["CircuitOpen"] + ["NoneType"]
        assert len(server.requests) == 4
        assert send(balancer, [server.address]).body == b"ok"


def test_only_failures_in_a_row_open_a_circuit() -> None:
    plan = [True, True, False] * 3 + [True, True, True]
    failing = iter(plan)

    def manner(exchange: Exchange) -> bool:
        fails = next(failing)
        if not fails:
            exchange.answer()
        return fails

    with serving(manner) as server:
        balancer = balancing(failures=3, pause=60)
        for fails in plan:
            with pytest.raises(RequestFailed) if fails else contextlib.nullcontext():
                send(balancer, [server.address])
        with pytest.raises(CircuitOpen):
            send(balancer, [server.address])


def test_failures_that_come_after_a_circuit_has_opened_do_not_prolong_its_pause() -> None:
    with serving(lambda exchange: len(server.requests) > 1) as server:
        balancer = balancing(failures=1, pause=2 * OWN)
        late = gevent.spawn(send, balancer, [server.address], own=OWN, script=0)
        until_greenlets(lambda: bool(server.requests), "the request has come")
        with pytest.raises(RequestFailed):
            send(balancer, [server.address])
        opened = time.monotonic()
        late.join()
        assert isinstance(late.exception, AnswerLate)
        gevent.sleep(opened + 2 * OWN - time.monotonic())
        with pytest.raises(RequestFailed):  # it is tried, where an open circuit would refuse
            send(balancer, [server.address])


def test_a_trial_that_fails_or_is_given_up_opens_the_circuit_again() -> None:
    with serving(lambda _: gevent.sleep(60)) as server:
        balancer = balancing(failures=1)
        with pytest.raises(AnswerLate):
            send(balancer, [server.address], own=OWN, script=0)
        gevent.sleep(PAUSE)
        trial = gevent.spawn(send, balancer, [server.address])
        until_greenlets(lambda: len(server.requests) == 2, "the request has come")
        trial.kill()
        with pytest.raises(CircuitOpen):
            send(balancer, [server.address])


def test_answers_of_every_status_and_clients_that_leave_open_no_circuit() -> None:
    status = b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"
    with serving(lambda exchange: exchange.answer(status)) as server:
        balancer = balancing(failures=2)
        assert [send(balancer, [server.address]).status for _ in range(5)] == [500] * 5
    with serving(lambda _: gevent.sleep(60)) as server:
        for number in range(1, 6):
            left = gevent.spawn(send, balancer, [server.address])
            with gevent.Timeout(60):
                while len(server.requests) < number:
                    gevent.sleep(0.01)
            left.kill()


def test_an_open_circuit_sends_its_keys_to_the_next_address() -> None:
    with serving(lambda _: True) as one, serving() as two:
        addresses = [one.address, two.address]
        balancer, key = balancing(failures=1, pause=60), key_for([one.address, two.address], one.address)
        with pytest.raises(RequestFailed):
            send(balancer, addresses, key)
        assert [send(balancer, addresses, key).status for _ in range(5)] == [200] * 5
        assert len(one.requests) == 1


def first_only(exchange: Exchange) -> None:
    if exchange.number == 1:
        exchange.answer()


def slowly(exchange: Exchange) -> None:
    gevent.sleep(0.05)
    exchange.answer()


def test_a_killed_request_closes_its_connection() -> None:
    with serving(first_only) as server:
        balancer = balancing(connections=1)
        send(balancer, [server.address])
        killed = gevent.spawn(send, balancer, [server.address])
        until_greenlets(lambda: len(server.requests) == 2, "the request has come")
        killed.kill()
        assert server.client_gone.wait(60), "the runtime sees its client gone"
        assert send(balancer, [server.address]).body == b"ok"
        assert server.accepted == 2


def test_no_more_connections_than_allowed_and_waiting_is_bounded() -> None:
    with serving(slowly) as server:
        balancer = balancing(connections=4)
        calls = [gevent.spawn(send, balancer, [server.address]) for _ in range(64)]
        gevent.joinall(calls, timeout=60)
        assert [call.value for call in calls] == [Answer(200, b"ok")] * 64
        assert server.accepted == 4
    with serving(lambda _: gevent.sleep(60)) as server:
        balancer = balancing(connections=1)
        first = gevent.spawn(send, balancer, [server.address])
        gevent.sleep(0)
        started = time.monotonic()
        with pytest.raises(NoFreeConnection):
            send(balancer, [server.address], own=0.2)
        assert 0.15 < time.monotonic() - started < 30
        first.kill()


def test_a_full_address_sends_what_is_over_to_the_next() -> None:
    with serving(lambda _: gevent.sleep(60)) as one, serving() as two:
        addresses = [one.address, two.address]
        balancer, key = balancing(connections=1), key_for([one.address, two.address], one.address)
        first = gevent.spawn(send, balancer, addresses, key)
        until_greenlets(lambda: bool(one.requests), "the request has come")
        assert send(balancer, addresses, key).body == b"ok"
        first.kill()


def test_64_clients_run_everything_once_while_the_peer_drops_connections() -> None:
    """The peer answers and closes some connections right after: idle ones go stale all the time."""

    def unreliable(exchange: Exchange) -> bool:
        exchange.answer(OK)
        return exchange.number % 3 == 0

    with serving(unreliable) as server:
        balancer = balancing(connections=64)

        def client() -> int:
            return sum(send(balancer, [server.address]).status == 200 for _ in range(50))

        clients = [gevent.spawn(client) for _ in range(64)]
        gevent.joinall(clients, timeout=60)
        assert [one.value for one in clients] == [50] * 64
        assert len(server.requests) == 64 * 50


def test_sweeping_closes_idle_connections_and_keeps_those_in_use() -> None:
    with serving() as server:
        balancer = balancing()
        send(balancer, [server.address])
        balancer.sweep()
        send(balancer, [server.address])
        assert server.accepted == 1


def test_a_health_check_asks_past_an_open_circuit() -> None:
    with serving() as server:
        balancer = balancing(failures=1, pause=60)
        port = int(server.address.rpartition(":")[2])
        server.stop()
        with pytest.raises(NothingRan):
            send(balancer, [server.address])
        again = Server(port=port)
        with pytest.raises(CircuitOpen):
            send(balancer, [again.address])
        assert (
            balancer.ask(again.address, Request("/health", b"", method="GET"), Budget.of(1, 0)).status == 200
        )
        again.stop()
