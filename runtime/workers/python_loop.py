"""The event loop of a Python script: one for all its runs, so that what is bound to it works in the next run."""

import asyncio
from collections.abc import Awaitable
from typing import Any


def run(awaitable: Awaitable[Any]) -> Any:
    """Return what an awaitable of the script gives, in the loop of its thread. A closed loop is replaced."""
    policy = asyncio.get_event_loop_policy()
    loop = _loop_of(policy)
    if loop is None or loop.is_closed():
        loop = policy.new_event_loop()
        policy.set_event_loop(loop)
    return loop.run_until_complete(_awaited(awaitable))


def settle() -> bool:
    """End what a run has left in its loop, as `asyncio.run` does at its end.

    A closed loop is forgotten, so that `get_event_loop` makes a new one as in the first run.

    Returns:
        Whether the next run can use the process: timers and generators that are left could act in that run.
    """
    if asyncio.events._event_loop_policy is None:  # type: ignore[attr-defined]  # asyncio was not used
        return True
    policy = asyncio.get_event_loop_policy()
    loop = _loop_of(policy)
    if loop is None or loop.is_closed():
        if local := getattr(policy, "_local", None):
            local._loop, local._set_called = None, False
        return True
    if loop.is_running():
        return False
    asyncio.runners._cancel_all_tasks(loop)  # type: ignore[attr-defined]
    if getattr(loop, "_ready", None):
        loop.run_until_complete(asyncio.sleep(0))
    if getattr(loop, "_asyncgens", None):
        loop.run_until_complete(loop.shutdown_asyncgens())
        return False
    timers = getattr(loop, "_scheduled", ())
    return not any(not timer.cancelled() for timer in timers) and not getattr(loop, "_ready", None)


def _loop_of(policy: asyncio.AbstractEventLoopPolicy) -> asyncio.AbstractEventLoop | None:
    """Return the loop that is set, without making one."""
    return getattr(getattr(policy, "_local", None), "_loop", None)


async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable
