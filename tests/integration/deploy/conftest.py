"""The images of the deployment, laid out once for all tests."""

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local.fetch.wheels import collect
from local.supervisor.account import RUNNER, Account, remove
from runtime.languages.rust.toolchain import Toolchain
from tests.conftest import ROOT
from tests.integration.deploy.layout import Image, Layout, Machine

IMAGES = ROOT / "deploy" / "images"
RUNTIMES = ("nodejs", "python", "rust")


@pytest.fixture(scope="session")
def account() -> Account:
    """Stands for the images' user; our own account where that one cannot run this Python."""
    account = Account.named(RUNNER)
    return account if account.reads(Path(sys.executable).resolve()) else Account.own()


@pytest.fixture(scope="session")
def machine(rust_toolchain: Path, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """This machine's Python and Rust compiler in the place of the base image and of Debian's packages."""
    toolchain = Toolchain.load(rust_toolchain)
    programs = [Path(sys.executable), Path(toolchain.rustc)]
    folders = [_linker(toolchain, tmp_path_factory), *(str(program.parent) for program in programs)]
    path = os.pathsep.join([*folders, os.environ.get("PATH", os.defpath)])
    # pip takes the value of its --no-... options for what they set: 0 is to compile nothing, and to compare nothing.
    quick = {"PIP_NO_COMPILE": "0", "PIP_NO_WARN_CONFLICTS": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(collect(ROOT / ".local" / "wheels"))} | quick
    return Machine(
        {"PATH": path, "LANG": "C.UTF-8"} | pip | toolchain.environment,
        {"/usr/share/cargo/registry": toolchain.crates},
    )


def _linker(toolchain: Toolchain, folders: pytest.TempPathFactory) -> str:
    """The folder of a wasm-ld; rustup's compilers bring it under another name."""
    if toolchain.linker is not None and Path(toolchain.linker).name == "wasm-ld":
        return str(Path(toolchain.linker).parent)
    folder = folders.mktemp("linker")
    (folder / "wasm-ld").symlink_to(
        toolchain.linker or next(Path(toolchain.rustc).parents[1].glob("lib/rustlib/*/bin/rust-lld"))
    )
    return str(folder)


@pytest.fixture(scope="session")
def images(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Image]]:
    """Every image that the Compose file builds: `controller`, and a runtime for each language."""
    asked = tmp_path_factory.mktemp("images")
    remove(Account.named(RUNNER).folder(asked))  # what a killed run has left there
    folder = Account.named(RUNNER).folder(asked)
    layouts = {
        name: Layout(IMAGES / name / "Dockerfile", ROOT, folder / name, machine)
        for name in ("controller", "runtime")
    }
    try:
        with ThreadPoolExecutor() as threads:
            controller = threads.submit(layouts["controller"].image, "controller")
            runtimes = {language: layouts["runtime"].image(language) for language in RUNTIMES}
            made = {"controller": controller.result(), **runtimes}
        yield made
    finally:
        remove(asked)
