"""Which of a runtime's addresses a request goes to, and when it may go to another."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from time import monotonic

from controller.runtimes.transport.circuit import Changed, Circuit
from controller.runtimes.transport.connection import Connection, Endpoint
from controller.runtimes.transport.failures import CircuitOpen, NothingRan
from controller.runtimes.transport.messages import Answer, Budget, Request
from controller.runtimes.transport.pool import IDLE_MAX, Pool

#: Seconds after which an address that is not asked any more is forgotten.
FORGET_AFTER = 600.0
#: Keys whose order of addresses is remembered.
RANKINGS_KEPT = 4096


class Balancer:
    """Sends requests to runtimes; one for all of a process.

    Args:
        connections: how many an address may have in use at once.
        failures: how many in a row open an address's circuit.
        pause: seconds until an open circuit lets one request through.
        circuit_changed: is told of each change of a circuit's state, its making and its end included.
    """

    def __init__(
        self, connections: int, failures: int, pause: float, circuit_changed: Changed = lambda *_: None
    ) -> None:
        self._circuit_changed = circuit_changed
        self._connections = connections
        self._failures = failures
        self._pause = pause
        self._peers: dict[str, _Peer] = {}

    def send(
        self,
        addresses: Sequence[str],
        key: str,
        request: Request,
        budget: Budget,
        declined: Callable[[Answer], bool],
    ) -> Answer:
        """The answer of the first address in `key`'s order that takes the request.

        One that is full or whose circuit is open is passed over while another is there. A request that surely was
        not run is sent once more: to the next address, or where there is none to the same one, if it was sent
        on a kept connection, which had gone stale.

        Args:
            addresses: base URLs, at least one.
            declined: whether an answer says that nothing was run, and that another address should be asked.

        Raises:
            CircuitOpen: no address may be asked.
            NoFreeConnection: each had all its connections in use until the budget's `begun_by`.
            RequestFailed: see `controller.runtimes.transport.failures`.
        """
        peers = [self._peer(one) for one in _ranking(tuple(addresses), key)]
        if len(peers) > 1:
            peers.sort(key=_full)
        failed: NothingRan | None = None
        while peers:
            peer = peers.pop(0)
            try:
                return peer.send(request, budget if failed or not peers else budget.sooner(), declined)
            except CircuitOpen as error:
                refused = failed or error
            except NothingRan as error:
                if failed:
                    raise
                refused = failed = error
                if error.kept and not peers:
                    peers.append(peer)
        raise refused

    def ask(self, address: str, request: Request, budget: Budget) -> Answer:
        """The answer of this address, whatever its circuit and its connections; raises RequestFailed."""
        connection = Connection(Endpoint(address), budget.begun_by)
        try:
            return connection.exchange(request, budget)
        finally:
            connection.close()

    def sweep(self) -> None:
        """Closes connections that have been idle for long, and forgets addresses that nobody asks any more."""
        for peer in self._peers.values():
            peer.pool.close_idle(IDLE_MAX)
        forgotten = monotonic() - FORGET_AFTER
        for name in [name for name, peer in self._peers.items() if peer.pool.used_at <= forgotten]:
            self._peers.pop(name).circuit.forget()

    def _peer(self, address: str) -> "_Peer":
        peer = self._peers.get(address)
        if peer is None:
            peer = self._peers[address] = _Peer(
                Pool(address, self._connections),
                Circuit(address, self._failures, self._pause, self._circuit_changed),
            )
        return peer


def _full(peer: "_Peer") -> bool:
    return peer.pool.full


class _Peer:
    """One address."""

    def __init__(self, pool: Pool, circuit: Circuit) -> None:
        self.pool = pool
        self.circuit = circuit

    def send(self, request: Request, budget: Budget, declined: Callable[[Answer], bool]) -> Answer:
        return self.circuit.call(self._exchange, request, budget, declined)

    def _exchange(self, request: Request, budget: Budget, declined: Callable[[Answer], bool]) -> Answer:
        answer = self.pool.exchange(request, budget)
        if declined(answer):
            self.pool.close_idle()
            raise NothingRan(f"declined: {answer.body[:200]!r}")
        return answer


def ranked(addresses: Iterable[str], key: str) -> list[str]:
    """The addresses in the order in which `key` prefers them: rendezvous hashing.

    Every process gives the same order, and an address that comes or goes moves only the keys that prefer it.
    """
    return sorted(
        addresses, key=lambda address: blake2b(f"{address}\0{key}".encode(), digest_size=8).digest()
    )


@lru_cache(RANKINGS_KEPT)
def _ranking(addresses: tuple[str, ...], key: str) -> tuple[str, ...]:
    return tuple(ranked(addresses, key))
