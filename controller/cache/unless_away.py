"""What a method of the cache results in while the store is away."""

import logging
from collections.abc import Callable
from functools import update_wrapper
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from controller.errors import CacheUnavailable

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")


def unless_away(
    fallback: Any,
) -> Callable[[Callable[Concatenate[Any, P], R]], Callable[Concatenate[Any, P], R]]:
    """Make a method log the failure and return `fallback` while the store is away."""

    def decorate(method: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate[Any, P], R]:
        def asked(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return method(self, *args, **kwargs)
            except CacheUnavailable as error:
                log.warning("the cache is away: %s: %s", method.__name__, error)
                return cast(R, fallback)

        update_wrapper(asked, method)
        return asked

    return decorate
