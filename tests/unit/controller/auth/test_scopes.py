"""What the scopes of a token and of a key allow."""

import pytest

from controller.auth.authenticator import require_execute, require_function, require_scope, require_write
from controller.errors import Forbidden, TokenMissing
from controller.models.registered import FunctionRef, Identity
from controller.web.ids import function_ref


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
