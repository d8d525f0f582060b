"""What a start says in the end: the address, a link to the console, a token, and three lines to paste."""

from local.state import State
from local.token import SCOPE, token

#: What the console can do beyond calls: make keys.
CONSOLE_SCOPE = f"{SCOPE} keys"

SCRIPT = r"""{"script_content": "def handle(params):\n    return {\"hello\": params[\"name\"]}\n"}"""


def guide(address: str, state: State, languages: list[str]) -> str:
    """The lines for a user whose service runs at `address`."""
    bearer = token(state.secret("JWT_SECRET"), scope=CONSOLE_SCOPE)
    json = "-H 'Content-Type: application/json'"
    request_id = r"""sed 's/.*"request_id": *"\([^"]*\)".*/\1/'"""
    lines = [
        f"AUTH='Authorization: Bearer {bearer}'; ID=$(curl -s {address}/api/v1/initialize -H \"$AUTH\" {json} "
        f"-H 'Language-Title: python-hello' -d '{SCRIPT}' | {request_id}); echo $ID",
        f'curl -s {address}/api/v1/execute/$ID -H "$AUTH" {json} -d \'{{"params": {{"name": "world"}}}}\'',
        f'curl -s {address}/api/v1/sessions/$ID -H "$AUTH"',
    ]
    return "\n".join(
        [
            f"\nready at {address} with {', '.join(languages)}; logs in {state.log_folder}; Ctrl-C ends it",
            f"\nopen the console, signed in for a day:\n{address}/console#token={bearer}",
            f"\ntoken (a day; more by `make token`):\n{bearer}",
            "\ntry it:",
            *lines,
        ]
    )
