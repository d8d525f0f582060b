"""The errors of the function, made of what uv and npm say."""

import re
from typing import Any

from runtime.errors import InitializationFailed, RuntimeUnavailable

RESOLVE, DOWNLOAD, INSTALL = "resolve", "download", "install"
#: Most lines of a tool that an error carries, and most characters of a line.
_LINES_MAX, _LINE_MAX = 20, 2000
#: What uv and npm say where a registry does not answer, or answers something else than HTTP.
_AWAY = re.compile(
    r"(?i)tcp connect error|dns error|error sending request|timed out|timeout|connection (?:reset|refused|closed)"
    r"|error decoding response body|end of file before message|unexpected eof|request or response body error"
    r"|50[0234] |\b50[0234]$|HTTP status server error"
    r"|\b(?:ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH|EPIPE|E50[0234]"
    r"|ERR_SOCKET_TIMEOUT|ERR_STREAM_PREMATURE_CLOSE|FETCH_ERROR|EIDLETIMEOUT)\b"
)
#: What they say of a file that is not the one that was locked.
_WRONG_FILE = re.compile(r"(?i)hash mismatch|EINTEGRITY|hashes? (?:do|does) not match|sha512-.* integrity")
#: Lines that tell of the tool itself or of other ways to install, and what npm puts before each line.
_NOISE = re.compile(
    r"^\s*$|^npm warn|^warning:|^(?:code|errno|syscall) |complete log of this run|Log files were not"
    r"|Note that you can also install|tarball, folder, http url|In most cases you or one of your dependencies"
)
_PREFIX = re.compile(r"^npm (?:error|ERR!) ?(?:404|notarget|network|invalid)? *")


def refusal(message: str, stage: str, said: list[str] | None = None) -> InitializationFailed:
    """Return the error of packages that cannot be had.

    Args:
        message: One sentence.
        stage: `resolve`, `download` or `install`.
        said: The tool's words. None: it has not run.
    """
    told: list[dict[str, Any]] = [
        {"message": line, "line": None, "column": None} for line in said or [message]
    ]
    return InitializationFailed(message, stage=stage, line=None, column=None, diagnostics=told)


def failure(stage: str, output: str) -> InitializationFailed | RuntimeUnavailable:
    """Return the error of a tool that failed, from its output, in which no credentials are left."""
    said = words(output)
    if _WRONG_FILE.search(output):
        return refusal(f"a file is not the one that was locked: {_first(said)}", DOWNLOAD, said)
    if _AWAY.search(output):
        return unavailable(f"a registry of packages does not answer: {_first(said)}")
    return refusal(_first(said), stage, said)


def unavailable(message: str) -> RuntimeUnavailable:
    """Return the error of packages that may be had later."""
    error = RuntimeUnavailable(message)
    error.retry_after = 5
    return error


def words(output: str) -> list[str]:
    """Return the lines of a tool that say what is wrong."""
    lines = (_PREFIX.sub("", line).strip() for line in output.splitlines())
    return [line[:_LINE_MAX] for line in lines if not _NOISE.search(line)][:_LINES_MAX]


def _first(said: list[str]) -> str:
    """Return the most telling line: the first cause that uv names, or else the first line."""
    causes = [line for line in said if line.startswith("cause:")]
    return re.sub(r"^(?:cause|error): *", "", (causes or said or ["the installer failed"])[0])
