"""A worker without a process, for tests of the pool. tests/contract/test_poolable.py compares it to the real one."""


class Puppet:
    """Alive until it is killed; a test sets whether it holds a script."""

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
