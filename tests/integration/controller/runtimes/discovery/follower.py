"""Follows API servers as controllers' processes do, gevent's patches in place, and prints what each follower knows.

One process for many tests: importing the client of Kubernetes costs more than most of them. A line on stdin is a
command, `{"follower": 1, "account": <folder>, "port": ...}` or `{"follower": 1}`, which ends that one. Each change is
a JSON line, `{"follower": 1, "complete": ..., "addresses": ...}`. The end of stdin ends the process.
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import logging  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

import gevent  # noqa: E402
from gevent.fileobject import FileObject  # noqa: E402

from controller.runtimes.kubernetes import KubernetesDiscovery  # noqa: E402


class Followers:
    """Followers by number, and what each has told last."""

    def __init__(self) -> None:
        self._followed: dict[int, KubernetesDiscovery] = {}
        self._told: dict[int, str] = {}

    def obey(self) -> None:
        for line in FileObject(sys.stdin.fileno()):
            asked = json.loads(line)
            number = asked["follower"]
            if "port" not in asked:
                self._followed.pop(number).close()
                continue
            os.environ["KUBERNETES_SERVICE_PORT"] = str(asked["port"])
            self._followed[number] = KubernetesDiscovery("", Path(asked["account"]))
            self._followed[number].start()
            self.tell()

    def tell(self) -> None:
        for number, discovery in self._followed.items():
            known = {"complete": discovery.complete, "addresses": discovery.addresses()}
            line = json.dumps({"follower": number, **known})
            if line != self._told.get(number):
                print(line, flush=True)
                self._told[number] = line


def main() -> None:
    logging.basicConfig(level="INFO", stream=sys.stderr)
    followers = Followers()
    obeying = gevent.spawn(followers.obey)
    while not obeying.dead:
        followers.tell()
        gevent.sleep(0.01)


main()
