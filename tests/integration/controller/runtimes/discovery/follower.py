"""Follows an API server as a controller's process does, gevent's patches in place, and prints what it knows.

Arguments: the service account's folder. Each change is one JSON line, `{"complete": ..., "addresses": ...}`.
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import logging  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

import gevent  # noqa: E402

from controller.runtimes.kubernetes import KubernetesDiscovery  # noqa: E402


def main() -> None:
    logging.basicConfig(level="INFO", stream=sys.stderr)
    discovery = KubernetesDiscovery("", Path(sys.argv[1]))
    discovery.start()
    told = ""
    while True:
        known = json.dumps({"complete": discovery.complete, "addresses": discovery.addresses()})
        if known != told:
            print(known, flush=True)
            told = known
        gevent.sleep(0.01)


main()
