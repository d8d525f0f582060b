"""The library every endpoint shares: sessions, the workflow of a run, cache, log, metrics."""

from typing import Final

VERSION: Final = "0.1.0"
