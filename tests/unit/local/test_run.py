"""What a start prints."""

from pathlib import Path

import jwt

from local.run import guide
from local.state import State


def test_the_link_opens_the_console_with_a_token_that_may_make_keys(tmp_path: Path) -> None:
    state = State(tmp_path)
    address = "http://127.0.0.1:8080"
    lines = guide(address, state, ["python"]).splitlines()
    (link,) = (line for line in lines if line.startswith(f"{address}/console#token="))
    claims = jwt.decode(link.partition("=")[2], state.secret("JWT_SECRET"), ["HS256"])
    assert {"execute:all", "read:functions", "keys"} <= set(claims["scope"].split())
