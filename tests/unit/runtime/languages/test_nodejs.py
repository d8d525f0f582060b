"""Which Node.js the runtime takes, and the worker program that it makes with it."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from configuration.errors import UnusableSetting
from runtime.languages.nodejs import NodeJS
from runtime.settings import Settings


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    monkeypatch.setenv("RUNTIME_SECRET", "unit-test-secret-1")
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    return Settings.from_environment()


def program(folder: Path, text: str) -> str:
    path = folder / "node"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("version", ["v24.0.0", "v25.1.2", "v100.0.0-nightly"])
def test_version_24_and_newer_are_taken(settings: Settings, tmp_path: Path, version: str) -> None:
    node = program(tmp_path, f"echo {version}")
    assert NodeJS(replace(settings, node=node)).launch().argv[0] == node


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("echo v20.20.2", r"node is Node\.js v20\.20\.2; version 24 or newer is needed$"),
        ("echo v9.1.0", r"node is Node\.js v9\.1\.0; version 24 or newer is needed$"),
        ("exit 1", r"node is no Node\.js; version 24 or newer is needed$"),
    ],
)
def test_others_end_the_start_with_a_reason(
    settings: Settings, tmp_path: Path, text: str, complaint: str
) -> None:
    with pytest.raises(UnusableSetting, match=f"^NODE: .*{complaint}"):
        NodeJS(replace(settings, node=program(tmp_path, text)))


def test_a_missing_program_is_named(settings: Settings) -> None:
    with pytest.raises(UnusableSetting, match=r"^NODE: there is no program '/nowhere/node'$"):
        NodeJS(replace(settings, node="/nowhere/node"))


#: Compiles the program in the current folder as `node_start.cjs` does. V8 refuses code that other flags have made.
COMPILE = """
const file = require('fs').readFileSync('program');
const end = 4 + file.readUInt32BE(0);
const { SourceTextModule, Script, constants } = require('vm');
const { cachedDataRejected } = new Script(file.latin1Slice(4, end), {
  cachedData: file.subarray(end),
  importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
});
console.log(cachedDataRejected, typeof SourceTextModule);
"""


def test_workers_need_not_compile_their_program(
    settings: Settings, tmp_path: Path, node_program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NODE_OPTIONS", "--stack-size=500")  # of the runtime, not of its workers
    launch = NodeJS(replace(settings, node=node_program)).launch()
    (tmp_path / "program").write_bytes(launch.files["program"])
    flags = launch.argv[:-1]
    told = subprocess.run(
        [*flags, "-e", COMPILE], cwd=tmp_path, env={}, capture_output=True, text=True, check=True
    ).stdout
    assert told == "false function\n"
