"""Which runtime serves: mappings first, then what is discovered, then what is configured; and which address of it."""

from collections import Counter

import pytest

from controller.errors import NotFound, RuntimeUnavailable
from controller.models.registered import LanguageTitle
from controller.runtimes.selector import Addresses, RuntimeRoute, RuntimeSelector
from controller.runtimes.transport.balancer import ranked

FIXED = {"python": ["http://one:1/", "http://two:1"], "nodejs": ["http://three"]}
HELLO = LanguageTitle("python", "hello")


class Choice:
    """Mappings that send one title somewhere."""

    def __init__(self, title: str, target: str) -> None:
        self._title, self._target = title, target

    def target(self, name: LanguageTitle) -> str | None:
        return self._target if str(name) == self._title else None


class Found:
    """A discovery's state."""

    def __init__(self, addresses: Addresses, complete: bool = True) -> None:
        self._addresses, self.complete = addresses, complete

    def addresses(self) -> Addresses:
        return self._addresses


def test_the_prefix_decides() -> None:
    selector = RuntimeSelector(FIXED)
    assert selector.route(LanguageTitle("python", "rust-like")) == RuntimeRoute(
        "python", ("http://one:1", "http://two:1")
    )
    assert selector.route(LanguageTitle("nodejs", "x")) == RuntimeRoute("nodejs", ("http://three",))


def test_typescript_has_the_runtimes_of_nodejs_unless_there_are_others_for_it() -> None:
    name = LanguageTitle("typescript", "x")
    assert RuntimeSelector(FIXED).route(name) == RuntimeRoute("typescript", ("http://three",))
    found = Found({"nodejs": ("http://pod",)})
    assert RuntimeSelector(FIXED, discovery=found).route(name).addresses == ("http://pod",)
    own = {**FIXED, "typescript": ["http://four"]}
    assert RuntimeSelector(own, discovery=found).route(name).addresses == ("http://four",)
    with pytest.raises(NotFound, match="typescript"):
        RuntimeSelector({"python": ["http://one"]}).route(name)


def test_a_language_without_a_runtime_is_not_found() -> None:
    for discovery in (None, Found({})):
        with pytest.raises(NotFound, match="rust"):
            RuntimeSelector(FIXED, discovery=discovery).route(LanguageTitle("rust", "x"))


def test_a_mapping_names_another_language_or_an_address() -> None:
    assert RuntimeSelector(FIXED, Choice("python-hello", "nodejs")).route(HELLO).language == "nodejs"
    mapped = RuntimeSelector(FIXED, Choice("python-hello", "http://gpu:8080"))
    assert mapped.route(HELLO) == RuntimeRoute("python", ("http://gpu:8080",))
    assert mapped.route(LanguageTitle("python", "other")).addresses == ("http://one:1", "http://two:1")


def test_what_is_discovered_comes_before_what_is_configured() -> None:
    selector = RuntimeSelector(FIXED, discovery=Found({"python": ("http://pod:1",), "ruby": ("http://r",)}))
    assert selector.route(HELLO).addresses == ("http://pod:1",)
    assert set(selector.addresses()) == {"python", "nodejs", "typescript", "ruby"}


@pytest.mark.parametrize("discovery", [Found({"python": ()}), Found({}, complete=False)])
def test_a_language_without_a_ready_runtime_is_unavailable(discovery: Found) -> None:
    with pytest.raises(RuntimeUnavailable):
        RuntimeSelector({}, discovery=discovery).route(HELLO)


ADDRESSES = [f"http://10.0.0.{number}:8080" for number in range(1, 6)]
KEYS = [f"tenant\0{number}" for number in range(2000)]


def test_every_process_gives_the_same_order() -> None:
    assert all(ranked(ADDRESSES, key) == ranked(reversed(ADDRESSES), key) for key in KEYS)
    # A fixed value: a seed that differs by process would show.
    assert ranked(ADDRESSES[:3], "a") == [ADDRESSES[index] for index in (2, 0, 1)]


def test_keys_spread_evenly() -> None:
    counted = Counter(ranked(ADDRESSES, key)[0] for key in KEYS)
    assert set(counted) == set(ADDRESSES)
    assert all(300 < count < 500 for count in counted.values())


def test_an_address_that_goes_moves_only_its_own_keys_each_to_its_second() -> None:
    gone, left = ADDRESSES[0], ADDRESSES[1:]
    for key in KEYS:
        before = ranked(ADDRESSES, key)
        assert ranked(left, key) == [address for address in before if address != gone]
