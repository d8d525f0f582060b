"""The gateway of the Compose file: haproxy with deploy/gateway/haproxy.cfg, in front of functions on this machine."""

import os
import re
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import requests

from local.fetch.debian_program import DebianProgram
from local.supervisor.ports import LOOPBACK, free_port
from tests.integration.openfaas.build import ROOT
from tests.waiting import until

CONFIGURATION = ROOT / "deploy" / "gateway" / "haproxy.cfg"
#: Its public port in the configuration; the others are the runtimes'.
PUBLIC = 8080
STOP_TIMEOUT = 30


class Gateway:
    """The gateway. As a context manager it waits until it answers, and ends it.

    Args:
        haproxy: The program.
        functions: Addresses of the functions, by the names of the services in the Compose file.
        folder: Folder for the configuration with these addresses.
    """

    def __init__(self, haproxy: DebianProgram, functions: Mapping[str, str], folder: Path) -> None:
        self._haproxy = haproxy
        self._file = folder / "haproxy.cfg"
        self._ports: dict[str, int] = {}
        text = re.sub(r"^    bind :(\d+)$", self._bind, CONFIGURATION.read_text(), flags=re.MULTILINE)
        named = set(re.findall(r"^    server \S+ (\S+):8080$", text, re.MULTILINE))
        assert named == functions.keys()
        for name, address in functions.items():
            text = re.sub(rf"(?<= ){name}:8080$", urlsplit(address).netloc, text, flags=re.MULTILINE)
        self._file.write_text(text)
        self.url = self.at(PUBLIC)

    def _bind(self, found: re.Match[str]) -> str:
        self._ports[found[1]] = free_port()
        return f"    bind {LOOPBACK}:{self._ports[found[1]]}"

    def at(self, port: int) -> str:
        """Return the address of a port of the configuration."""
        return f"http://{LOOPBACK}:{self._ports[str(port)]}"

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [self._haproxy.path, "-db", "-f", self._file], env=os.environ | self._haproxy.environment
        )
        try:
            until(self._answers, "the gateway answers")
        except BaseException:
            self.__exit__()
            raise
        return self

    def _answers(self) -> bool:
        assert self._process.poll() is None
        with suppress(requests.ConnectionError):
            return requests.get(f"{self.url}/health", timeout=60).status_code == 200
        return False

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(STOP_TIMEOUT)
