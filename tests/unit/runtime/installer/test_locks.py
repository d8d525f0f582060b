"""What may be declared, and what counts of a lock: names, versions and hashes, whatever else stands in it."""

import json
from typing import Any

import pytest

from runtime.errors import InitializationFailed
from runtime.installer import nodejs_lock, python_lock

HASH, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
INTEGRITY = "sha512-" + "A" * 86 + "=="
CANONICAL = f"other-name==2 --hash={HASH}\nrequests==1.0 --hash={HASH} --hash={OTHER}\n"
REQUIREMENTS = f"""
--index-url https://elsewhere.invalid/simple  # does not count
-f https://elsewhere.invalid/wheels
requests[socks]==1.0 ; python_version > "3" \\
    --hash={OTHER} \\
    --hash={HASH}
    # via something
Other.Name == 2 --hash={HASH}
absent==1 ; sys_platform == "win32" --hash={HASH}
"""
PYLOCK = f"""
lock-version = "1.0"
[[packages]]
name = "requests"
version = "1.0"
index = "https://elsewhere.invalid/simple"
sdist = {{url = "https://elsewhere.invalid/x.tar.gz", hashes = {{sha256 = "{"c" * 64}"}}}}
wheels = [
    {{url = "https://elsewhere.invalid/x.whl", hashes = {{sha256 = "{"a" * 64}"}}}},
    {{url = "file:///x.whl", hashes = {{sha256 = "{"b" * 64}"}}}},
]
[[packages]]
name = "Other.Name"
version = "2"
wheels = [{{hashes = {{sha256 = "{"a" * 64}"}}}}]
[[packages]]
name = "absent"
marker = "sys_platform == 'win32'"
"""


@pytest.mark.parametrize("lock", [REQUIREMENTS, PYLOCK, CANONICAL])
def test_of_a_lock_of_python_names_versions_and_hashes_count(lock: str) -> None:
    assert python_lock.canonical(python_lock.pins(lock)) == CANONICAL


@pytest.mark.parametrize(
    "line",
    [
        "requests==1.0",
        "requests>=1.0 --hash=" + HASH,
        "requests==1.* --hash=" + HASH,
        f"requests==1.0 --hash={HASH}\nrequests==2.0 --hash={HASH}",
        "requests==1.0 --hash=md5:" + "a" * 32,
        "requests @ https://elsewhere.invalid/x.whl --hash=" + HASH,
        "https://elsewhere.invalid/x.whl --hash=" + HASH,
        "./x.whl --hash=" + HASH,
        "file:///x.whl --hash=" + HASH,
        "-e . --hash=" + HASH,
        "-r other.txt",
        "-c other.txt",
        "--config-settings x",
        'requests==1.0 ; no_marker == "x" --hash=' + HASH,
        '[[packages]]\nname = "x"\nversion = "1"\nvcs = {type = "git", url = "https://elsewhere.invalid"}',
        '[[packages]]\nname = "x"\nversion = "1"\narchive = {path = "x.zip"}',
        '[[packages]]\nname = "x"\nversion = "1"\ndirectory = {path = "."}',
        f'[[packages]]\nname = "x"\nversion = "1"\nsdist = {{hashes = {{sha256 = "{"a" * 64}"}}}}',
        '[[packages]]\nname = "../x"\nversion = "1"',
        "[[packages]] nonsense",
    ],
)
def test_an_entry_of_a_lock_of_python_from_elsewhere_is_refused(line: str) -> None:
    with pytest.raises(InitializationFailed) as refused:
        python_lock.pins(line)
    assert refused.value.details["stage"] == "resolve"


@pytest.mark.parametrize(
    "entry",
    [
        "x @ https://elsewhere.invalid/x.whl",
        "x @ file:///x.whl",
        "git+https://elsewhere.invalid/x",
        "./x",
        "/x.whl",
        "-r other.txt",
        "--index-url https://elsewhere.invalid",
        "x --index-url=https://elsewhere.invalid",
        "x\n--index-url https://elsewhere.invalid",
        "x===1",
        "x" * 501,
        "",
    ],
)
def test_what_is_no_name_with_versions_is_no_package_of_python(entry: str) -> None:
    with pytest.raises(InitializationFailed):
        python_lock.declared([entry])


def test_a_package_of_python_may_have_extras_versions_and_a_marker() -> None:
    [found] = python_lock.declared(["Requests[socks]>=2,<3 ; python_version>'3'"])

    assert str(found) == 'Requests[socks]<3,>=2; python_version > "3"'


def test_the_version_of_python_has_to_fit() -> None:
    python_lock.check_python(">=3.11", "3.11")
    python_lock.check_python(None, "3.11")
    for wanted in (">=3.12", "nonsense"):
        with pytest.raises(InitializationFailed):
            python_lock.check_python(wanted, "3.11")


@pytest.mark.parametrize(
    ("entry", "name", "wanted"),
    [
        ("zod", "zod", "*"),
        ("zod@^3", "zod", "^3"),
        ("@scope/x.y@1.x || >=2.0.0-rc.1 <3", "@scope/x.y", "1.x || >=2.0.0-rc.1 <3"),
        ("zod@~1.2.3+build", "zod", "~1.2.3+build"),
        ("zod@1.0.0 - 2", "zod", "1.0.0 - 2"),
        ("zod@next", "zod", "next"),
    ],
)
def test_a_package_of_npm_is_a_name_with_versions(entry: str, name: str, wanted: str) -> None:
    assert nodejs_lock.declared([entry]) == {name: wanted}


@pytest.mark.parametrize(
    "entry",
    [
        *("", "@", "@scope", "../x", "X", "x y", ".x", "-g", "--registry=https://elsewhere.invalid"),
        *("x@https://elsewhere.invalid/x.tgz", "x@file:../x", "x@link:../x", "x@../x", "x@/x", "x@~/x"),
        *("x@git+ssh://elsewhere.invalid/x", "x@github:a/b", "x@a/b", "x@npm:y@1", "x@workspace:*"),
        *("x@1.0.0-a.tgz", "x@1 --registry", "x@1\n2@", "x@" + "1" * 501),
    ],
)
def test_what_is_no_name_with_versions_is_no_package_of_npm(entry: str) -> None:
    with pytest.raises(InitializationFailed):
        nodejs_lock.declared([entry])


def lock(place: str = "node_modules/x", **entry: Any) -> str:
    described = {"version": "1.0.0", "integrity": INTEGRITY, **entry}
    wanted = {"dependencies": {"x": "^1"}}
    return json.dumps({"lockfileVersion": 3, "packages": {"": {"name": "n", **wanted}, place: described}})


def test_of_a_lock_of_npm_names_versions_and_hashes_count() -> None:
    given = lock(
        resolved="https://elsewhere.invalid/x.tgz", license="MIT", funding={}, engines={}, bin={"x": "x"}
    )
    packages = {
        "": {"dependencies": {"x": "^1"}},
        "node_modules/x": {"integrity": INTEGRITY, "version": "1.0.0"},
    }

    found = nodejs_lock.entries(given)
    assert json.loads(nodejs_lock.canonical(found)) == {
        "lockfileVersion": 3,
        "packages": packages,
        "requires": True,
    }
    assert nodejs_lock.entries(nodejs_lock.canonical(found)) == found
    assert nodejs_lock.named(found) == [("x", "1.0.0")]
    assert nodejs_lock.named(nodejs_lock.entries(lock(dev=True))) == []


@pytest.mark.parametrize(
    "given",
    [
        lock(integrity=None),
        lock(integrity="sha1-" + "A" * 28),
        lock(link=True),
        lock(resolved="git+ssh://elsewhere.invalid/x.git#abc"),
        lock(resolved="file:../x"),
        lock(version="file:../x"),
        lock(name="../x"),
        lock("node_modules/../x"),
        lock("packages/x"),
        lock("/node_modules/x"),
        "nonsense",
        "[]",
        '{"packages": {"": {"dependencies": {"x": "file:../x"}}}}',
        '{"packages": {"": {"workspaces": ["x"]}, "x": {"version": "1.0.0"}}}',
    ],
)
def test_an_entry_of_a_lock_of_npm_from_elsewhere_is_refused(given: str) -> None:
    with pytest.raises(InitializationFailed) as refused:
        nodejs_lock.entries(given)
    assert refused.value.details["stage"] == "resolve"
