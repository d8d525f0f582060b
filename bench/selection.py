"""Which scenarios are run."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from fnmatch import fnmatch

from bench.scenarios import GROUPS, Group
from bench.scenarios.scenario import Scenario


def selected(patterns: Sequence[str]) -> list[Group]:
    """The groups with those of their scenarios that a pattern matches, and those that these refer to."""
    scenarios = {each.name: each for group in GROUPS for each in group.scenarios}
    wanted = [name for name in scenarios if any(fnmatch(name, pattern) for pattern in patterns)]
    for name in wanted:
        wanted += [other for other in scenarios[name].references if other not in wanted]
    return restricted(GROUPS, lambda scenario: scenario.name in wanted)


def restricted(groups: Sequence[Group], wanted: Callable[[Scenario], bool]) -> list[Group]:
    """The groups with those scenarios alone, without groups that have none of them."""
    left = (replace(group, scenarios=tuple(filter(wanted, group.scenarios))) for group in groups)
    return [group for group in left if group.scenarios]
