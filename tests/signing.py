"""Keys that sign tokens, and a JWKS server that shows their public halves."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
MAKERS: dict[str, Callable[[], PrivateKey]] = {
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
}


class SigningKey:
    """A new key pair.

    Args:
        algorithm: what it signs with.
        key_id: its `kid`.
    """

    def __init__(self, algorithm: str, key_id: str = "first") -> None:
        self._algorithm = algorithm
        self._key_id = key_id
        self._private = MAKERS[algorithm]()

    @property
    def private_pem(self) -> str:
        return self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    @property
    def public_pem(self) -> str:
        public = self._private.public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def jwk(self) -> dict[str, Any]:
        """The public half, as a JWKS lists it."""
        algorithm: Any = jwt.get_algorithm_by_name(self._algorithm)
        document: dict[str, Any] = algorithm.to_jwk(self._private.public_key(), as_dict=True)
        return document | {"kid": self._key_id, "use": "sig", "alg": self._algorithm}

    def bearer(self, key_id: str | None = None, **claims: Any) -> str:
        """An `Authorization` header; `key_id` other than the key's own makes a token that lies."""
        claims = {"sub": "alice", "exp": time.time() + 60, "scope": "execute:all"} | claims
        headers = {"kid": key_id or self._key_id}
        return "Bearer " + jwt.encode(claims, self._private, algorithm=self._algorithm, headers=headers)


class JwksServer:
    """Answers every GET with its keys, and counts. It can be broken, and it can hang."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = []
        self.status = 200
        self.asked = 0
        self.answering = Event()
        self.answering.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}/keys"

    @classmethod
    @contextmanager
    def running(cls) -> Iterator["JwksServer"]:
        server = cls()
        thread = Thread(target=server._server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.answering.set()
            server._server.shutdown()
            thread.join()
            server._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        jwks = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                jwks.asked += 1
                jwks.answering.wait()
                body = json.dumps({"keys": jwks.keys}).encode()
                self.send_response(jwks.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        return Handler
