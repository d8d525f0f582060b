"""A process that answers calls and logs them: `python logging_process.py <postgres url> <spool folder>`.

Each line on its stdout is the X-Request-ID of a call that was answered. SIGTERM ends it as it ends a controller.
"""

import os
import signal
import sys
from pathlib import Path

import gevent
from prometheus_client import CollectorRegistry

from controller.database.postgres import Postgres
from controller.errors import ScriptFailed
from controller.observability.metrics import MetricsCollector
from controller.request_log.logger import DatabaseLogger
from controller.request_log.spool import Spool
from tests.calls import call

PAUSE = 0.02
LAST_WORDS = 5.0


def main(url: str, folder: Path) -> None:
    metrics = MetricsCollector(CollectorRegistry())
    logger = DatabaseLogger(Postgres(url, 4, 5), 10_000, metrics, Spool(folder, 1 << 30, metrics))
    logger.start()
    ended = gevent.event.Event()
    gevent.signal_handler(signal.SIGTERM, ended.set)
    while not ended.wait(PAUSE):
        answered = call(payload={"token": "t"})
        request_id = answered.ids.http_request_id
        if request_id.startswith("0"):
            answered.error = ScriptFailed("bad")
        logger.record(*answered.rows(1.0))
        os.write(1, f"{request_id}\n".encode())
    logger.close(LAST_WORDS)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
