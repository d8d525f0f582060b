"""The contract as clients have it."""

from typing import Any

import yaml

from local.state import ROOT

DOCUMENT: dict[str, Any] = yaml.load((ROOT / "docs" / "openapi.yaml").read_text(), yaml.CSafeLoader)
#: Method, path and operation by the operation's id.
OPERATIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
CODES: set[str] = {
    code
    for answer in DOCUMENT["components"]["responses"].values()
    for code in answer["content"]["application/json"]["schema"]["allOf"][1]["properties"]["error"][
        "properties"
    ]["code"]["enum"]
}
