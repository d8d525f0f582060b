"""The JavaScript client is held to the contract: its types, its calls and its errors."""

import re

import pytest
import yaml

from local.fetch.command import UnavailableError
from local.state import ROOT
from tests.conftest import missing
from tools.javascript_client import SOURCE, TYPES, types

#: Pages and figures: not for programs that run scripts.
NOT_CALLED = {"/metrics", "/openapi.json", "/docs", "/docs/{file}", "/console", "/console/{file}"}


@pytest.fixture(scope="module")
def contract() -> dict[str, object]:
    loaded: dict[str, object] = yaml.load((ROOT / "docs" / "openapi.yaml").read_text(), yaml.CSafeLoader)
    return loaded


def test_the_types_are_those_of_the_contract() -> None:
    try:
        made = types()
    except UnavailableError as reason:
        missing("no packages of npm", reason)
    assert made == TYPES.read_text()


def test_each_call_of_the_contract_has_a_method(contract: dict[str, dict[str, dict[str, object]]]) -> None:
    text = (SOURCE / "src" / "client.ts").read_text()
    called = set(re.findall(r"this\.call\('(\w+)', '([^']+)'", text))
    offered = {
        (method, path)
        for path, calls in contract["paths"].items()
        if path not in NOT_CALLED
        for method in calls
    }
    assert called == offered


def test_each_code_of_the_contract_has_a_class(contract: dict[str, dict[str, dict[str, object]]]) -> None:
    text = (SOURCE / "src" / "errors.ts").read_text()
    classes = dict(re.findall(r"^  ([A-Z_]+): (\w+),$", text, re.MULTILINE))
    codes = {code for name in contract["components"]["responses"] for code in name.split("-")[1:]}
    assert set(classes) == codes
    assert len(set(classes.values())) == len(codes)
