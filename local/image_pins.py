"""Pin every image to what its tag stands for now: `python -m local.image_pins`, or `make pin`.

`python:3.13.12` becomes `python:3.13.12@sha256:...` in the Dockerfiles and in the Compose file; what was pinned is
asked for anew by its tag. An image that a build argument names is left as it is. When one registry cannot be asked,
it says so in a line for each image, changes nothing and ends with status 1.
"""

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from local.fetch.container_tools import ContainerTools, Unpacked
from local.fetch.go_programs import UnavailableError
from local.state import ROOT

FILES = ("deploy/images/*/Dockerfile", "template/*/Dockerfile", "deploy/docker-compose.yml")
#: Where an image is named: name and tag, and the digest if there is one.
IMAGE = re.compile(
    r"""^(?P<before>\s*(?:FROM(?:\ --\S+)*\ +|ARG\ \w+_IMAGE=|image:\ +))
        (?P<tag>[^\s$@"':]+(?::\d+/[^\s$@"':]+)?:[\w.-]+)
        (?P<digest>@sha256:[0-9a-f]{64})?
        (?=\s|$)""",
    re.MULTILINE | re.VERBOSE,
)
#: Such a registry speaks plain HTTP, as Docker takes it to.
LOOPBACK = ("127.0.0.1:", "localhost:")
#: Seconds for one question.
TIMEOUT = 60


class UnresolvedError(Exception):
    """A registry does not say what a tag stands for. The message is one line."""


@dataclass(frozen=True)
class Registries:
    """The registries of images, each asked by skopeo."""

    skopeo: Unpacked

    def digest(self, image: str) -> str:
        """What the tag stands for, for all platforms. Raises UnresolvedError."""
        plain = ["--tls-verify=false"] if image.startswith(LOOPBACK) else []
        try:
            asked = subprocess.run(
                [str(self.skopeo.program), "inspect", "--raw", *plain, f"docker://{image}"],
                env=os.environ | self.skopeo.environment,
                capture_output=True,
                timeout=TIMEOUT,
                check=True,
            )
        except subprocess.CalledProcessError as error:
            raise UnresolvedError(f"{image}: {_reason(error.stderr)}") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UnresolvedError(f"{image}: {error}") from error
        return f"sha256:{hashlib.sha256(asked.stdout).hexdigest()}"


def images(files: Iterable[Path]) -> list[str]:
    """The images that the files name by a full tag, each once."""
    return sorted({found["tag"] for file in files for found in IMAGE.finditer(file.read_text())})


def pin(files: list[Path], registries: Registries) -> Iterator[str]:
    """Write the digests into the files; gives a line for each image. Raises UnresolvedError, a line for each failure.

    Nothing is written unless every image has its digest.
    """
    names = images(files)
    with ThreadPoolExecutor() as threads:
        asked = {name: threads.submit(registries.digest, name) for name in names}
    failures = [str(answer.exception()) for answer in asked.values() if answer.exception()]
    if failures:
        raise UnresolvedError("\n".join(failures))
    digests = {name: answer.result() for name, answer in asked.items()}
    for file in files:
        text = file.read_text()
        pinned = IMAGE.sub(lambda found: f"{found['before']}{found['tag']}@{digests[found['tag']]}", text)
        if pinned != text:
            file.write_text(pinned)
    yield from (f"{name}@{digest}" for name, digest in digests.items())


def _reason(stderr: bytes) -> str:
    """The end of skopeo's last line, where it says what was wrong."""
    lines = stderr.decode(errors="replace").strip().splitlines() or ["failed without a word"]
    message = re.search(r'msg="(.*)"$', lines[-1])
    return (message[1] if message else lines[-1]).replace('\\"', '"')


def main() -> int:
    files = [file for pattern in FILES for file in sorted(ROOT.glob(pattern))]
    folder = ROOT / ".local" / "containers"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        print(*pin(files, Registries(ContainerTools(folder).skopeo())), sep="\n")
    except (UnavailableError, UnresolvedError) as reason:
        print(reason, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
