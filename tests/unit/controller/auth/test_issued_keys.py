"""API keys: what a key may have, what is kept of it, and what the scopes of tokens and keys allow."""

from datetime import timedelta

import pytest

from controller.auth.authenticator import require_execute, require_function, require_scope, require_write
from controller.auth.issued_keys import KEYS_MAX, IssuedKeys
from controller.database.memory_keys import MemoryKeys
from controller.errors import Forbidden, NotFound, RateLimited, TokenMissing
from controller.models.api_keys import key_hash, well_formed
from controller.models.registered import FunctionRef, Identity, LanguageTitle, now, rfc3339
from controller.models.requests import KeyRequest
from controller.web.ids import function_ref

HELLO = FunctionRef(LanguageTitle("python", "hello"))
MAKER = Identity("alice", frozenset({"execute:all", "read:functions", "keys"}))


def require(reference: FunctionRef, owner: str) -> None:
    if (reference, owner) != (HELLO, "alice"):
        raise NotFound(f"there is no function {reference}")


@pytest.fixture
def rows() -> MemoryKeys:
    return MemoryKeys()


@pytest.fixture
def keys(rows: MemoryKeys) -> IssuedKeys:
    return IssuedKeys(rows, require, ttl_max=3600)


def asked(scope: str = "execute:python", **fields: object) -> KeyRequest:
    given: dict[str, object] = {"name": "nightly", "functions": None, "expires_at": None} | fields
    return KeyRequest(scopes=scope.split(), **given)  # type: ignore[arg-type]


def test_a_new_key_is_shown_once_and_only_its_hash_is_kept(keys: IssuedKeys, rows: MemoryKeys) -> None:
    made = keys.create(MAKER, asked("execute:python read:functions", functions=[HELLO]))
    assert well_formed(made.key)
    (kept,) = rows.api_keys("alice")
    assert kept.key_hash == key_hash(made.key)
    assert made.key not in repr(kept)
    (shown,) = keys.list("alice").keys
    assert (shown.key_id, shown.name, shown.scope) == (
        made.key_id,
        "nightly",
        "execute:python read:functions",
    )
    assert (shown.functions, shown.last_used_at) == (["python-hello"], None)
    assert not hasattr(shown, "key")
    assert keys.list("bob").keys == []


def test_a_key_expires_as_late_as_possible_unless_asked(keys: IssuedKeys) -> None:
    latest = keys.create(MAKER, asked())
    assert rfc3339(now() + timedelta(seconds=3500)) < latest.expires_at <= rfc3339(now() + timedelta(hours=1))
    soon = now() + timedelta(seconds=60)
    assert keys.create(MAKER, asked(expires_at=soon)).expires_at == rfc3339(soon)


def test_references_have_to_name_a_function(keys: IssuedKeys) -> None:
    keys.check(asked(functions=[HELLO]), "alice")
    with pytest.raises(NotFound, match="python-hello@nowhere"):
        keys.check(asked(functions=[HELLO, FunctionRef(HELLO.name, "nowhere")]), "alice")
    with pytest.raises(NotFound):
        keys.check(asked(functions=[HELLO]), "bob")


@pytest.mark.parametrize(
    ("held", "scope", "granted"),
    [
        ("execute:all", "execute:all", True),
        ("execute:all", "execute:python", True),
        ("execute:all", "write:functions", True),
        ("execute:all", "read:functions", False),
        ("execute:python", "execute:python", True),
        ("execute:python", "execute:all", False),
        ("execute:python", "execute:rust", False),
        ("execute:python", "execute:python execute:rust", False),
        ("execute:python", "write:functions", False),
        ("write:functions", "write:functions", True),
        ("read:functions", "read:functions", True),
        ("execute:all admin", "keys", False),
        ("execute:all", "admin", False),
    ],
)
def test_a_key_has_no_more_rights_than_its_maker(
    keys: IssuedKeys, rows: MemoryKeys, held: str, scope: str, granted: bool
) -> None:
    maker = Identity("alice", frozenset({"keys", *held.split()}))
    if granted:
        assert keys.create(maker, asked(scope)).scope == scope
    else:
        with pytest.raises(Forbidden):
            keys.create(maker, asked(scope))
        assert rows.api_keys("alice") == []


def test_a_user_has_at_most_a_hundred_keys(keys: IssuedKeys) -> None:
    made = [keys.create(MAKER, asked()) for _ in range(KEYS_MAX)]
    with pytest.raises(RateLimited, match="100 keys") as refused:
        keys.create(MAKER, asked())
    assert refused.value.retry_after
    assert keys.create(Identity("bob", MAKER.scopes), asked()).key_id
    keys.delete(made[0].key_id, "alice")
    assert keys.create(MAKER, asked()).key_id


def test_only_its_maker_deletes_a_key(keys: IssuedKeys) -> None:
    made = keys.create(MAKER, asked())
    for refused in (keys.require_own, keys.delete):
        with pytest.raises(NotFound):
            refused(made.key_id, "bob")
    keys.require_own(made.key_id, "alice")
    keys.delete(made.key_id, "alice")
    with pytest.raises(NotFound):
        keys.delete(made.key_id, "alice")


@pytest.mark.parametrize("scopes", [{"execute:all"}, {"execute:python"}])
def test_a_scope_that_suffices(scopes: set[str]) -> None:
    identity = Identity("alice", frozenset(scopes))
    require_execute(identity, "python")
    assert identity.scopes == scopes


@pytest.mark.parametrize(
    "scopes", [set(), {"execute:rust"}, {"execute"}, {"read:functions"}, {"execute:all2"}]
)
def test_a_scope_that_is_missing(scopes: set[str]) -> None:
    with pytest.raises(Forbidden):
        require_execute(Identity("alice", frozenset(scopes)), "python")


def test_reading_functions_needs_its_own_scope() -> None:
    with pytest.raises(Forbidden):
        require_scope(Identity("alice", frozenset({"execute:all"})), "read:functions")


def ref(text: str) -> FunctionRef:
    return function_ref(text)


def key(scope: str, *functions: str) -> Identity:
    """Who sends an API key."""
    bound = frozenset(functions) if functions else None
    return Identity("alice", frozenset(scope.split()), functions=bound, by_key=True)


@pytest.mark.parametrize(
    ("functions", "reference", "allowed"),
    [
        (["python-a"], "python-a", True),
        (["python-a"], "python-a@3", True),
        (["python-a"], "python-a@prod", True),
        (["python-a@prod"], "python-a@prod", True),
        (["python-a@prod"], "python-a", False),
        (["python-a@prod"], "python-a@3", False),
        (["python-a"], "python-ab", False),
        (["python-a"], "python-b", False),
        (["python-b", "python-a"], "python-a", True),
        (["rust-a"], "rust-a", False),
        ([], "python-anything@7", True),
    ],
)
def test_a_bound_key_executes_its_functions_by_name(
    functions: list[str], reference: str, allowed: bool
) -> None:
    identity = key("execute:python", *functions)
    if allowed:
        require_function(identity, ref(reference))
    else:
        with pytest.raises(Forbidden):
            require_function(identity, ref(reference))


def test_a_bound_key_does_nothing_else() -> None:
    identity = key("execute:all read:functions write:functions keys", "python-a")
    for check in (require_execute, require_write):
        with pytest.raises(Forbidden, match="bound to functions"):
            check(identity, "python")
    for scope in ("read:functions", "keys"):
        with pytest.raises(Forbidden, match="bound to functions"):
            require_scope(identity, scope)


def test_a_token_may_execute_by_name_what_it_may_execute() -> None:
    require_function(Identity("alice", frozenset({"execute:python"})), ref("python-a@3"))
    with pytest.raises(Forbidden, match="execute:rust"):
        require_function(Identity("alice", frozenset({"execute:python"})), ref("rust-a"))


@pytest.mark.parametrize(
    ("identity", "allowed"),
    [
        (Identity("alice", frozenset({"execute:python"})), True),
        (Identity("alice", frozenset({"execute:all"})), True),
        (Identity("alice", frozenset({"write:functions"})), True),
        (Identity("alice", frozenset({"execute:rust", "read:functions"})), False),
        (key("execute:python"), False),
        (key("execute:all read:functions"), False),
        (key("write:functions"), True),
    ],
)
def test_who_may_write_functions(identity: Identity, allowed: bool) -> None:
    if allowed:
        require_write(identity, "python")
    else:
        with pytest.raises(Forbidden, match="write:functions"):
            require_write(identity, "python")


def test_a_caller_without_a_token_never_writes_functions() -> None:
    identity = Identity("anonymous", frozenset({"execute:all", "write:functions"}), anonymous=True)
    with pytest.raises(TokenMissing):
        require_write(identity, "python")
