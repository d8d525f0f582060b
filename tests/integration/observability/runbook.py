"""What can be linked to in docs/operations.md."""

import re

from tests.conftest import ROOT

LINK = re.compile(r"docs/operations\.md#([\w-]+)")


def anchors() -> set[str]:
    """Of the page's headings, as Git's hosts make them."""
    page = (ROOT / "docs" / "operations.md").read_text()
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}
