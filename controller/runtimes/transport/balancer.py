"""Balancer: chooses the address of a runtime for a request, and decides when another is tried."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from time import monotonic

from controller.runtimes.transport.circuit import Changed, Circuit
from controller.runtimes.transport.connection import Connection, Endpoint
from controller.runtimes.transport.failures import CircuitOpen, NothingRan
from controller.runtimes.transport.frames import line_of
from controller.runtimes.transport.messages import Answer, Budget, Request
from controller.runtimes.transport.pool import IDLE_MAX, Pool
from framing.place import without_frames

#: Seconds after which an unused address is forgotten.
FORGET_AFTER = 600.0
#: Keys with a cached order of addresses.
RANKINGS_KEPT = 4096


class Balancer:
    """Sends requests to runtimes. A process has one.

    Args:
        connections: most connections to an address.
        failures: consecutive failures that open an address's circuit.
        pause: seconds until an open circuit lets one request through.
        circuit_changed: called on each change of a circuit's state, including its creation and its end.
        secret: what runtimes ask for before they take frames.
    """

    def __init__(
        self,
        connections: int,
        failures: int,
        pause: float,
        circuit_changed: Changed = lambda *_: None,
        secret: str = "",
    ) -> None:
        self._secret = secret
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
        """Return the answer of the first address, in the order of `key`, that takes the request.

        An address that is full, leaves, or has an open circuit is skipped if there is another. A request that
        certainly did not run is sent once more: to the next address, or to the same one if there is no other and the
        request was sent on a stale connection.

        Args:
            addresses: base URLs, at least one.
            key: determines the order of the addresses.
            request: the request.
            budget: its deadlines.
            declined: returns whether an answer means that nothing ran and another address should be tried.

        Raises:
            CircuitOpen: every circuit is open.
            NoFreeConnection: all connections were in use until the budget's `begun_by`.
            RequestFailed: see `controller.runtimes.transport.failures`.
        """
        peers = [self._peer(one) for one in _ranking(tuple(addresses), key)]
        if len(peers) > 1:
            peers.sort(key=_unwilling)
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
        """Return the answer of this address. Ignores its circuit and its limit. Raises RequestFailed."""
        connection = Connection(Endpoint(address), budget.begun_by)
        try:
            return connection.exchange(request, budget)
        finally:
            connection.close()

    def sweep(self) -> None:
        """Close connections that have been idle for long, and forget unused addresses."""
        for peer in self._peers.values():
            peer.pool.close_idle(IDLE_MAX)
        oldest = monotonic() - FORGET_AFTER
        for name in [name for name, peer in self._peers.items() if peer.pool.used_at <= oldest]:
            forgotten = self._peers.pop(name)
            forgotten.pool.retire()
            forgotten.circuit.forget()

    def _peer(self, address: str) -> "_Peer":
        peer = self._peers.get(address)
        if peer is None:
            peer = self._peers[address] = _Peer(
                Pool(address, self._connections, line_of(address, self._secret)),
                Circuit(address, self._failures, self._pause, self._circuit_changed),
            )
        return peer


def _unwilling(peer: "_Peer") -> bool:
    return peer.pool.unwilling


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
    """Return the addresses in the order of `key`, by rendezvous hashing.

    Every process has the same order. If an address is added or removed, only the keys that prefer it move. An address
    that begins to name its frames stays in its place.
    """

    def rank(address: str) -> bytes:
        return blake2b(f"{without_frames(address)}\0{key}".encode(), digest_size=8).digest()

    return sorted(addresses, key=rank)


@lru_cache(RANKINGS_KEPT)
def _ranking(addresses: tuple[str, ...], key: str) -> tuple[str, ...]:
    return tuple(ranked(addresses, key))
