"""EnvironmentSender: brings environments to runtimes that lack them."""

from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic
from typing import TypeVar

from controller.errors import RuntimeUnavailable
from controller.execution.package_installer import PackageInstaller, unfinished
from controller.execution.shared_jobs import SharedJobs
from controller.registry.rows import EnvironmentRows, PartStore
from controller.runtimes.client import Destination, PartRefused
from controller.runtimes.responses import EnvironmentNeeded

T = TypeVar("T")
#: Most calls of a runtime for one request. Through a gateway each may reach another instance.
CALLS_MAX = 16


class EnvironmentSender:
    """Sends the parts that a runtime lacks. Requests for the same environment and runtime share the sending.

    Args:
        rows: the permanent store of environments.
        parts: the permanent store of their parts.
        installer: builds an environment again whose parts were evicted.
        send: sends a part, see `RuntimeClient.send_part`.
    """

    def __init__(
        self,
        rows: EnvironmentRows,
        parts: PartStore,
        installer: PackageInstaller,
        send: Callable[[Destination, str, int, bytes], None],
    ) -> None:
        self._rows = rows
        self._parts = parts
        self._installer = installer
        self._send = send
        self._jobs: SharedJobs[None] = SharedJobs()

    def called(self, call: Callable[[], T], to: Destination, digest: str, until: float) -> T:
        """Return what a call of a runtime returns, which is given the environment if it lacks it.

        Args:
            call: calls the runtime.
            to: the runtime.
            digest: the environment.
            until: deadline on the monotonic clock. Then the sending goes on without this request.

        Raises:
            RuntimeUnavailable: the runtime does not have the environment by then.
        """
        for _ in range(CALLS_MAX):
            try:
                return call()
            except EnvironmentNeeded as needed:
                missing = needed.missing
            if monotonic() >= until:
                raise unfinished(digest)
            job = self._jobs.of((digest, to.first), partial(self._sent, to, digest, missing))
            job.wait(until, lambda: unfinished(digest))
        raise unfinished(digest)

    def _sent(self, to: Destination, digest: str, missing: Sequence[int]) -> None:
        try:
            for part in missing:
                self._send(to, digest, part, self._content(digest, part))
        except PartRefused:
            # The runtime has forgotten all parts, and says so to the next call.
            return

    def _content(self, digest: str, part: int) -> bytes:
        """Return a part. If it was evicted or is lost, the environment is built again."""
        for _ in range(2):
            build = self._rows.use_environment(digest)
            content = None if build is None else self._parts.part(digest, build, part)
            if content is not None:
                return content
            if build is not None:
                self._rows.lose_part(digest, build, part)
            self._installer.ensure(digest)
        raise RuntimeUnavailable("the packages cannot be sent", details={"environment": digest})
