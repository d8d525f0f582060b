"""The types of answers in the Python client are those of the contract."""

import shutil
import sys
from pathlib import Path

from tests.conftest import missing
from tools.docs.client_types import TYPES, types


def test_the_types_are_those_of_the_contract() -> None:
    if shutil.which("datamodel-codegen", path=Path(sys.executable).parent) is None:
        missing("no datamodel-codegen")

    assert TYPES.read_text() == types(), "write them anew: make client-types"
