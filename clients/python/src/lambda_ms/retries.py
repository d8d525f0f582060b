"""Which calls are tried again, and when. Both clients ask here; waiting is theirs."""

import random
from dataclasses import dataclass, field
from typing import Any

from lambda_ms.call import Call
from lambda_ms.errors import LambdaError, RateLimited, ServiceError, Unreachable

#: Seconds before the second try where the service names no time; doubled with each further one.
FIRST_PAUSE = 0.2


@dataclass(frozen=True)
class Retries:
    """How long a client goes on.

    A call is repeated if its connection was refused or it is over a limit (429), because it did not begin. A read, or
    an execution with an idempotency key, is repeated if its connection was lost. A call that was answered 503 is
    repeated, except an execution without a key: it may have run, and its caller has to decide.

    Args:
        attempts: most tries of a call that fails; 1: none is repeated.
        patience: seconds that a call waits in all for a rate limit. A wait that would go beyond it is not begun.
    """

    attempts: int = 3
    patience: float = 60.0


@dataclass
class Course:
    """The tries of one call so far."""

    retries: Retries
    call: Call[Any]
    _failed: int = field(default=0, init=False)
    _waited: float = field(default=0.0, init=False)

    def pause(self, error: LambdaError) -> float:
        """Return the seconds to wait before the next try. Raises the error if there is none."""
        if isinstance(error, RateLimited):
            seconds = error.retry_after or FIRST_PAUSE
            self._waited += seconds
            if self.retries.attempts > 1 and self._waited <= self.retries.patience:
                return seconds + random.uniform(0, FIRST_PAUSE)  # noqa: S311 - callers that wait together part
            raise error
        self._failed += 1
        if self._failed >= self.retries.attempts or not self._repeatable(error):
            raise error
        backoff: float = FIRST_PAUSE * 2 ** (self._failed - 1)
        if isinstance(error, ServiceError) and error.retry_after:
            backoff = max(backoff, error.retry_after)
        return backoff * random.uniform(1, 1.5)  # noqa: S311

    def _repeatable(self, error: LambdaError) -> bool:
        if isinstance(error, Unreachable):
            return self.call.repeatable or not error.sent
        return not self.call.runs and isinstance(error, ServiceError) and error.status == 503
