"""The runtime's own log: one JSON object a line on stderr, Elastic Common Schema. Scripts never write there."""

import logging
import sys

import ecs_logging

LOG = logging.getLogger("runtime")


def configure(level: str) -> None:
    """Send the runtime's log to stderr from `level` (debug, info, warning, error) up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(ecs_logging.StdlibFormatter())
    LOG.handlers = [handler]
    LOG.propagate = False
    LOG.setLevel(level.upper())
