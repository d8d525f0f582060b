"""A client of the service, as a user would write one."""

import time
from typing import Any

import jwt
import requests

ALL_SCOPES = "execute:all read:functions"


class Client:
    """Calls the service at `url` as `sub`."""

    def __init__(self, url: str, jwt_secret: str, sub: str, scope: str = ALL_SCOPES) -> None:
        self.url = url
        self.sub = sub
        self._jwt_secret = jwt_secret
        self._http = requests.Session()
        self._http.trust_env = False
        claims = {"sub": sub, "scope": scope, "exp": time.time() + 3600}
        self.token = jwt.encode(claims, jwt_secret, algorithm="HS256")
        self._http.headers["Authorization"] = f"Bearer {self.token}"

    @classmethod
    def with_token(cls, url: str, sub: str, token: str) -> "Client":
        """One who sends this token, which is `sub`'s."""
        client = cls(url, "s" * 32, sub)
        client.token = token
        client._http.headers["Authorization"] = f"Bearer {token}"
        return client

    def speaking_for(self, sub: str, scope: str = ALL_SCOPES) -> "Client":
        """Another user of the same service."""
        return Client(self.url, self._jwt_secret, sub, scope)

    def again(self) -> "Client":
        """The same user, on separate connections, for another thread."""
        return Client(self.url, self._jwt_secret, self.sub)

    def at(self, url: str, scope: str = ALL_SCOPES) -> "Client":
        """The same user at another controller."""
        return Client(url, self._jwt_secret, self.sub, scope)

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        return self._http.request(method, self.url + path, **{"timeout": 120, **options})

    def initialize(self, language_title: str, script: str | None = None, **context: Any) -> requests.Response:
        body: dict[str, Any] = {"context": context} if context else {}
        if script is not None:
            body["script_content"] = script
        headers = {"Language-Title": language_title}
        return self.request("POST", "/api/v1/initialize", json=body, headers=headers)

    def begin(self, language_title: str, script: str | None = None, **context: Any) -> str:
        """The request_id of a new session."""
        answer = self.initialize(language_title, script, **context)
        assert answer.status_code == 200, answer.text
        request_id: str = answer.json()["request_id"]
        return request_id

    def execute(
        self, request_id: str, params: dict[str, Any] | None = None, **headers: str
    ) -> requests.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request(
            "POST", f"/api/v1/execute/{request_id}", json={"params": params or {}}, headers=named
        )

    def result(self, request_id: str, params: dict[str, Any] | None = None, **headers: str) -> Any:
        """What the script answered."""
        answer = self.execute(request_id, params, **headers)
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]

    def session(self, request_id: str) -> requests.Response:
        return self.request("GET", f"/api/v1/sessions/{request_id}")


def error_of(answer: requests.Response, code: str) -> dict[str, Any]:
    """The error of an answer that has this code, in the one shape of the contract."""
    document = answer.json()
    assert document["error"]["code"] == code, answer.text
    assert set(document) <= {"request_id", "error"}
    assert set(document["error"]) == {"code", "message", "details"}
    error: dict[str, Any] = document["error"]
    return error
