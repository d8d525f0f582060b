"""A worker without a process, for the pool; tests/contract/test_poolable.py holds it and the real one together."""


class Puppet:
    """Alive until it is killed; a script is in it when a test says so."""

    def __init__(self, name: str = "", resident_bytes: int = 0) -> None:
        self.name = name
        self.loaded = False
        self.resident_bytes = resident_bytes
        self.alive = True
        self.suspended = False
        self.closed = False
        self.rehearsed = False

    def suspend(self) -> None:
        self.suspended = self.alive

    def resume(self) -> None:
        self.suspended = False

    def kill(self) -> None:
        self.alive = self.suspended = False

    def close(self) -> None:
        self.kill()
        self.closed = True
