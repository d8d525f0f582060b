"""RuntimeClient: the two calls to a language's runtime, over kept-alive HTTP."""

import base64
import binascii
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from controller.errors import (
    DeadlinePassed,
    InitializationFailed,
    RateLimited,
    RuntimeUnavailable,
    ScriptFailed,
    ServiceError,
)
from controller.logs import Trace
from controller.models import LanguageTitle, Run, Script, Session

log = logging.getLogger(__name__)

CONNECTIONS = 256
HEALTH_TIMEOUT = 1.0
"""Seconds a runtime has to say that it is well."""
PASSED_ON: Mapping[str, type[ServiceError]] = {
    error.code: error for error in (InitializationFailed, ScriptFailed, DeadlinePassed, RateLimited)
}
"""A runtime's errors that are the client's to know; any other is between the runtime and us."""
USAGE = ("cpu_time", "memory_usage_bytes", "bytes_in", "bytes_out", "fuel", "cold")
"""What a runtime tells of a run besides its result and its time."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A script that parses or compiles. `artifact_cached` is None for interpreted languages."""

    artifact_cached: bool | None = None
    artifact: bytes | None = None


class ScriptNeeded(Exception):
    """The runtime does not have the script or artifact of this hash."""


class RuntimeClient:
    """Talks to runtimes.

    Args:
        secret: what a runtime knows us by.
        timeout: seconds for all but the script's own time: connecting, waiting for a worker, answering.
    """

    def __init__(self, secret: str, timeout: float) -> None:
        self._timeout = timeout
        self._http = requests.Session()
        self._http.trust_env = False
        self._http.headers["X-Runtime-Secret"] = secret
        for scheme in ("http://", "https://"):
            self._http.mount(scheme, HTTPAdapter(pool_connections=32, pool_maxsize=CONNECTIONS))

    def prepare(
        self,
        address: str,
        name: LanguageTitle,
        script: Script,
        *,
        tenant: str,
        compile_options: Mapping[str, Any],
        deadline_ms: int,
        trace: Trace,
    ) -> Prepared:
        """Has a script parsed or compiled; runs nothing of it.

        Raises:
            InitializationFailed: it does not parse or compile.
            RuntimeUnavailable, RateLimited, DeadlinePassed: no answer from the runtime, or not in time.
        """
        body = {
            "tenant": tenant,
            "script_hash": script.hash,
            "script_content": script.content,
            "compile_options": dict(compile_options),
        }
        url = f"{address}/runtime/{name.language}/{name.title}/prepare"
        answer = self._post(url, body, deadline_ms, trace)
        artifact = answer.get("artifact")
        if artifact is None:
            return Prepared()
        try:
            return Prepared(bool(answer["artifact_cached"]), base64.b64decode(artifact, validate=True))
        except (binascii.Error, TypeError, KeyError) as error:
            raise _unusable(url, "an artifact that is not base64") from error

    def run(
        self,
        address: str,
        session: Session,
        params: Mapping[str, Any],
        trace: Trace,
        material: Mapping[str, str] | None = None,
    ) -> Run:
        """Runs a session's script once.

        Args:
            material: `script_content` and, of compiled languages, `artifact` (base64), where the runtime asked.

        Raises:
            ScriptNeeded: the runtime does not have it; call again with `material`.
            ScriptFailed, DeadlinePassed: what became of the script.
            RuntimeUnavailable, RateLimited: it did not run.
        """
        body = {
            "request_id": session.request_id,
            "tenant": session.user_id,
            "script_hash": session.script_hash,
            "params": params,
            "context": dict(session.context),
            "timeout_ms": session.timeout_ms,
            "isolation": session.isolation,
            "compile_options": dict(session.compile_options),
            **(material or {}),
        }
        url = f"{address}/runtime/{session.name.language}/{session.name.title}"
        answer = self._post(url, body, session.timeout_ms, trace)
        try:
            return Run(
                result=answer["result"],
                execution_time=answer["execution_time"],
                stdout=answer["stdout"],
                stderr=answer["stderr"],
                usage={key: answer.get(key) for key in USAGE},
            )
        except KeyError as error:
            raise _unusable(url, f"an answer without {error}") from error

    def healthy(self, address: str) -> bool:
        """Whether the runtime says that it is well."""
        try:
            return self._http.get(f"{address}/health", timeout=HEALTH_TIMEOUT).status_code == 200
        except requests.RequestException:
            return False

    def _post(self, url: str, body: Mapping[str, Any], deadline_ms: int, trace: Trace) -> dict[str, Any]:
        patience = deadline_ms / 1000 + self._timeout
        try:
            answer = self._http.post(
                url,
                json=body,
                headers=trace.headers(),
                timeout=(self._timeout, patience),
                allow_redirects=False,
            )
        except requests.ReadTimeout as error:
            raise DeadlinePassed(
                "the runtime did not answer in time", details={"timeout_ms": deadline_ms}
            ) from error
        except requests.RequestException as error:
            log.warning("no answer from %s: %s", url, error)
            raise RuntimeUnavailable("the runtime cannot be reached") from error
        return _document(url, answer, deadline_ms)


def _document(url: str, answer: requests.Response, deadline_ms: int) -> dict[str, Any]:
    """A runtime's answer, or its error raised as ours."""
    try:
        document = answer.json()
        if answer.status_code == 200:
            return dict(document)
        error = document["error"]
        code, message, details = error["code"], error["message"], error["details"]
    except (ValueError, TypeError, KeyError) as unreadable:
        if answer.status_code == 504:
            # of-watchdog's own time-out has an empty body.
            raise DeadlinePassed(
                "the runtime did not answer in time", details={"timeout_ms": deadline_ms}
            ) from unreadable
        raise _unusable(url, f"status {answer.status_code}") from unreadable
    if code == "SCRIPT_NEEDED":
        raise ScriptNeeded
    if code in PASSED_ON:
        known = PASSED_ON[code](message, details=details)
        usage = document.get("usage")
        known.usage = usage if isinstance(usage, dict) else None
        raise known
    raise _unusable(url, f"{code}: {message}")


def _unusable(url: str, answer: str) -> RuntimeUnavailable:
    log.error("%s answered %s", url, answer)
    return RuntimeUnavailable("the runtime gave no usable answer")
