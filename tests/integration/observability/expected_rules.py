"""What rules have to record, and what alerts have to see, after the load."""

from tests.integration.observability.seen import Check

RECORDED: dict[str, Check] = {}
ALERTS: dict[str, Check] = {}
