"""Our worker with short timeouts, for tests of slow clients."""

from http_limits import Timeouts
from http_worker import HttpWorker


class ImpatientWorker(HttpWorker):
    """A worker with short timeouts."""

    timeouts = Timeouts(
        head=0.6, body=0.6, body_rate=1000, write=0.6, write_rate=1 << 20, linger=0.3, leave=0.2
    )
