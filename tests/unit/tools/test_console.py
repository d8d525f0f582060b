"""The files of the console as they are in the tree: small, of this origin alone, named after their content."""

import gzip
import json
import re

from tools.console import BUILT, SOURCE

ASSETS = BUILT / "assets"


def test_all_of_it_is_less_than_300_kilobytes_over_the_wire() -> None:
    files = [BUILT / "index.html", *ASSETS.iterdir()]
    assert sum(len(gzip.compress(file.read_bytes(), 6)) for file in files) < 300_000


def test_the_first_page_is_less_than_40_kilobytes_over_the_wire() -> None:
    page = (BUILT / "index.html").read_text()
    files = [ASSETS / name for name in re.findall(r'"console/([^"]+)"', page)]
    assert len(files) == 3
    assert sum(len(gzip.compress(file.read_bytes(), 6)) for file in files) < 40_000


def test_each_asset_is_named_after_its_content() -> None:
    assert [
        file.name for file in ASSETS.iterdir() if not re.fullmatch(r"\w+-[0-9A-Z]{8}\.\w+", file.name)
    ] == []


def test_the_page_names_no_other_origin() -> None:
    texts = [
        file.read_text() for file in (BUILT / "index.html", *ASSETS.glob("*.css"), *ASSETS.glob("app-*.js"))
    ]
    addresses = set(re.findall(r"https?://[^\s\"'`)]+", "\n".join(texts)))
    assert addresses <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1998/Math/MathML",
        "http://www.w3.org/1999/xhtml",
    }


def test_the_lock_file_names_no_registry() -> None:
    lock = json.loads((SOURCE / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert packages
    assert [name for name, package in packages.items() if "resolved" in package] == []
    assert [
        name for name, package in packages.items() if not package["integrity"].startswith("sha512-")
    ] == []


def test_the_client_library_alone_calls_the_service_and_no_module_makes_markup() -> None:
    sources = {path.name: path.read_text() for path in (SOURCE / "src").rglob("*.ts*")}
    assert [
        name for name, text in sources.items() if re.search(r"= await fetch\(\w|XMLHttpRequest", text)
    ] == []
    assert [name for name, text in sources.items() if re.search(r"innerHTML|insertAdjacentHTML", text)] == []
