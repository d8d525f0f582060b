"""The function that is measured, as one of OpenFaaS's python3-http template."""

import json
from typing import Any


def handle(event: Any, context: Any) -> dict[str, Any]:
    """One more than the `n` of the params."""
    params = json.loads(event.body)["params"]
    return {"statusCode": 200, "body": {"result": params["n"] + 1}}
