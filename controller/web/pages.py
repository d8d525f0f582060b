"""Page: a page in the browser, and the files that it asks for."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from flask import Response, request

from controller.errors import NotFound

#: The files that a page may have, by suffix.
TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
#: Everything comes from this server, and nothing that stands in the page's markup is run.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
#: The same, and no text becomes markup: the page makes all elements itself.
STRICT_POLICY = f"{POLICY}; require-trusted-types-for 'script'; trusted-types 'none'"
#: The folder of the console, which `console/` is built into.
CONSOLE = Path(__file__).parent / "console"
REVALIDATED = "no-cache"
#: Of files with a hash of their content in the name.
FOREVER = "public, max-age=31536000, immutable"
HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Vary": "Accept-Encoding"}


@dataclass(frozen=True, slots=True)
class Page:
    """A page and its files, which are read when they are first asked for.

    Attributes:
        html: the file of the page.
        files: its other files, by the name in their address.
        policy: the page's Content-Security-Policy.
        caching: `Cache-Control` of the other files.
    """

    html: Path
    files: Mapping[str, Path]
    policy: str = POLICY
    caching: str = REVALIDATED

    @classmethod
    def built(cls, folder: Path) -> "Page":
        """Return the page of a folder that a build tool wrote: `index.html`, and files with hashes in `assets/`."""
        files = {path.name: path for path in folder.glob("assets/*") if path.suffix in TYPES}
        return cls(folder / "index.html", files, STRICT_POLICY, FOREVER)

    def show(self) -> Response:
        """Return the page. Its files' addresses are relative to its own, which has no slash at the end.

        Raises:
            NotFound: it was not built.
        """
        if request.path.endswith("/"):
            name = request.path.rstrip("/").rpartition("/")[2]
            return Response(status=308, headers={"Location": f"../{name}"})
        answer = _answer(self.html, REVALIDATED)
        answer.headers["Content-Security-Policy"] = self.policy
        return answer

    def file(self, name: str) -> Response:
        """Return another file. Raises NotFound if the page has none of this name."""
        path = self.files.get(name)
        if path is None:
            raise NotFound("there is no such file")
        return _answer(path, self.caching)


def _answer(path: Path, caching: str) -> Response:
    try:
        tag, compressed = _prepared(path)
        gzipped = request.accept_encodings.quality("gzip") > 0
        body = compressed if gzipped else path.read_bytes()
    except OSError as error:
        raise NotFound("there is no such file") from error
    answer = Response(body, mimetype=TYPES[path.suffix], headers=HEADERS)
    answer.headers["Cache-Control"] = caching
    if gzipped:
        answer.headers["Content-Encoding"] = "gzip"
    answer.set_etag(f"{tag}-gzip" if gzipped else tag)
    answer.make_conditional(request)
    return answer


@lru_cache
def _prepared(path: Path) -> tuple[str, bytes]:
    """Return the tag and the compressed bytes of a file."""
    content = path.read_bytes()
    return hashlib.sha256(content).hexdigest()[:16], gzip.compress(content, mtime=0)
