"""What Grafana makes of a dashboard's queries before it sends them: variables and macros are filled in."""

import re
from collections.abc import Mapping, Sequence

#: Of a variable that has an `allValue`.
ALL = ".*"


def promql(expression: str, milliseconds: int, choices: Mapping[str, str]) -> str:
    """The expression with its intervals so long, and the choices, each a regular expression."""
    filled = expression.replace("$__rate_interval", f"{milliseconds}ms")
    for name, value in choices.items():
        filled = re.sub(rf"\${name}\b", value, filled)
    assert "$" not in filled, filled
    return filled


def sql(statement: str, start: float, end: float, step: int, choices: Mapping[str, Sequence[str]]) -> str:
    """The statement for the time from `start` to `end`, in steps of so many seconds."""
    filled = re.sub(
        r"\$__timeFilter\((\w+)\)",
        rf"\1 BETWEEN to_timestamp({start}) AND to_timestamp({end})",
        statement,
    )
    filled = re.sub(
        r"\$__timeGroup\((\w+), \$__interval\)",
        rf"floor(extract(epoch from \1) / {step}) * {step}",
        filled,
    )
    for name, values in choices.items():
        quoted = ", ".join("'{}'".format(value.replace("'", "''")) for value in values)
        filled = filled.replace(f"${{{name}:sqlstring}}", quoted)
    assert "$" not in filled, filled
    return filled
