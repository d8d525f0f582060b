"""The store of scripts stays within its bound and drops the scripts used least recently."""

from runtime.languages.base import Script
from runtime.scripts.compiled import ScriptStore


def script(name: str, size: int) -> Script:
    return Script(hash=name, options="", content="x" * size)


def test_a_script_is_found_by_hash_and_options() -> None:
    store = ScriptStore(100)
    store.put(script("a", 10))
    assert store.get("a", "") == script("a", 10)
    assert store.get("a", "release") is None


def test_the_least_recently_used_script_is_dropped_first() -> None:
    store = ScriptStore(30)
    for name in ("a", "b", "c"):
        store.put(script(name, 10))
    store.get("a", "")
    store.put(script("d", 10))
    assert [name for name in "abcd" if store.get(name, "")] == ["a", "c", "d"]


def test_putting_a_script_again_counts_it_once() -> None:
    store = ScriptStore(20)
    for _ in range(5):
        store.put(script("a", 10))
    store.put(script("b", 10))
    assert store.get("a", "")


def test_the_newest_is_kept_even_when_it_is_too_large() -> None:
    store = ScriptStore(20)
    store.put(script("a", 10))
    store.put(script("b", 50))
    assert store.get("a", "") is None
    assert store.get("b", "")
