"""Processes of the controller on stores in memory."""

import pytest

from tests.unit.controller.heart import Process, Stores


@pytest.fixture
def stores() -> Stores:
    return Stores()


@pytest.fixture
def one(stores: Stores) -> Process:
    return Process(stores)


@pytest.fixture
def other(stores: Stores) -> Process:
    """Another process on the same stores."""
    return Process(stores)
