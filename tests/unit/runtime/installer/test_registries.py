"""The environment of jobs, and what of an installed folder becomes an environment."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from runtime.installer.jobs import Overflow, usage
from runtime.installer.registries import Registries
from runtime.installer.settings import Settings
from runtime.installer.tree import Walk

MACHINE = {
    "HTTPS_PROXY": "http://proxy.invalid:3128",
    "SSL_CERT_FILE": "/certificates/all.pem",
    "NODE_EXTRA_CA_CERTS": "/certificates/node.pem",
    "PIP_INDEX_URL": "https://pip.invalid/simple",
    "PIP_EXTRA_INDEX_URL": "https://extra.invalid/simple",
    "PIP_NO_BUILD_ISOLATION": "1",
    "UV_DEFAULT_INDEX": "https://reader:hidden-word@uv.invalid/simple",
    "UV_INDEX_OTHER_PASSWORD": "other-word",
    "UV_NO_BUILD": "0",
    "UV_CACHE_DIR": "/shared",
    "NPM_CONFIG_REGISTRY": "https://npm.invalid",
    "npm_config_@scope:registry": "https://scope.invalid",
    "npm_config_//npm.invalid/:_authToken": "token-word",
    "NPM_CONFIG_IGNORE_SCRIPTS": "false",
    "NPM_CONFIG_CACHE": "/shared",
    "NODE_OPTIONS": "--require=/evil.js",
    "PACKAGES_SECRET": "a secret of the function",
    "PYTHONPATH": "/evil",
    "HOME": "/root",
}
COMMON = {name: MACHINE[name] for name in ("HTTPS_PROXY", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")}


def registries(patch: pytest.MonkeyPatch, **variables: str) -> Registries:
    patch.setenv("PACKAGES_SECRET", "x" * 16)
    for name, value in variables.items():
        patch.setenv(name, value)
    return Registries(Settings.from_environment(), MACHINE)


def beyond_common(found: Mapping[str, str]) -> dict[str, str]:
    assert found.items() >= COMMON.items()
    return {name: value for name, value in found.items() if name not in COMMON}


def test_without_settings_the_machines_registries_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    found = registries(monkeypatch)

    # uv's own name for an index comes before pip's.
    assert beyond_common(found.python) == {
        "UV_DEFAULT_INDEX": MACHINE["UV_DEFAULT_INDEX"],
        "UV_INDEX": MACHINE["PIP_EXTRA_INDEX_URL"],
        "UV_INDEX_OTHER_PASSWORD": "other-word",
    }
    assert beyond_common(found.nodejs) == {
        name: MACHINE[name]
        for name in (
            "NPM_CONFIG_REGISTRY",
            "npm_config_@scope:registry",
            "npm_config_//npm.invalid/:_authToken",
        )
    }
    said = found.mask(f"GET {MACHINE['UV_DEFAULT_INDEX']} hidden-word token-word other-word")
    assert said == "GET https://***@uv.invalid/simple *** *** ***"


def test_a_setting_takes_the_place_of_all_of_the_machines_registries(monkeypatch: pytest.MonkeyPatch) -> None:
    index, npm = "https://a:b%40c@index.invalid/simple", "https://token-only@npm.example/path/"
    found = registries(monkeypatch, PACKAGES_INDEX_URL=index, NPM_REGISTRY_URL=npm)

    assert beyond_common(found.python) == {"UV_DEFAULT_INDEX": index}
    assert beyond_common(found.nodejs) == {
        "npm_config_registry": "https://npm.example/path/",
        "npm_config_//npm.example/path/:_authToken": "token-only",
    }


def test_jobs_may_read_the_certificates_that_are_named_and_what_these_link_to(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "certificates").mkdir()
    (tmp_path / "real.pem").touch()
    (tmp_path / "certificates" / "one.pem").symlink_to(tmp_path / "real.pem")
    readable = registries(monkeypatch).readable({"SSL_CERT_DIR": str(tmp_path / "certificates")})

    assert {str(tmp_path / "certificates"), str(tmp_path / "real.pem"), "/etc/resolv.conf"} <= set(readable)
    assert str(tmp_path) not in readable


def test_links_that_stay_inside_become_copies_and_others_are_dropped(tmp_path: Path) -> None:
    root = tmp_path / "site"
    (root / "package" / "data").mkdir(parents=True)
    (root / "package" / "data" / "one.txt").write_text("one")
    (tmp_path / "secret.txt").write_text("secret")
    links = {
        "file": "package/data/one.txt",
        "folder": "package/data",
        "package/data/circle": "..",
        "out": "../secret.txt",
        "whole": str(tmp_path),
        "self": ".",
        "broken": "missing",
    }
    for name, target in links.items():
        (root / name).symlink_to(target)
    os.mkfifo(root / "pipe")
    tree = Walk(root, "", 100).tree()

    assert [file.path for file in tree.files] == ["file", "folder/one.txt", "package/data/one.txt"]
    assert sorted(tree.dropped) == [
        "broken: it cannot be read",
        "folder/circle: a link to a folder that it is in",
        "out: a link out of the environment",
        "package/data/circle: a link to a folder that it is in",
        "pipe: it is no file",
        "self: a link out of the environment",
        "whole: a link out of the environment",
    ]


def test_programs_and_start_files_are_dropped_at_the_top_alone(tmp_path: Path) -> None:
    for path in ("bin/tool", "start.pth", ".lock", "model/bin/x", "model/weights.pth", "line\nbreak"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    python, nodejs = Walk(tmp_path, "", 100).tree(), Walk(tmp_path, "node_modules/", 100).tree()

    assert [file.path for file in python.files] == ["model/bin/x", "model/weights.pth"]
    assert sorted(python.dropped) == [
        "bin: programs are not installed",
        "line\nbreak: its name is not portable",
        "start.pth: it would run code at the start",
    ]
    assert "node_modules/bin/tool" in {file.path for file in nodejs.files}


def test_links_cannot_multiply_files_without_end(tmp_path: Path) -> None:
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "file").touch()
    for level in range(1, 20):
        (tmp_path / str(level)).mkdir()
        for name in ("a", "b"):
            (tmp_path / str(level) / name).symlink_to(f"../{level - 1}")

    with pytest.raises(Overflow, match="100 files"):
        Walk(tmp_path, "", 100).tree()


def test_a_file_with_two_names_is_used_once(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(bytes(1000))
    (tmp_path / "two").hardlink_to(tmp_path / "one")

    assert usage(tmp_path) == (1000.0, 1.0)


def test_a_link_in_the_place_of_the_folder_has_no_files(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret").touch()
    (tmp_path / "site").symlink_to("elsewhere")

    assert Walk(tmp_path / "site", "", 100).tree().files == []
