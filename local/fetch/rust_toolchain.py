"""Prepare a Rust toolchain with a WASI target in a folder: `python -m local.fetch.rust_toolchain DIR`.

In this order: a rustc of this machine that has the target; rustup, asked to add the target; the distribution's
packages, unpacked into the folder. Works as an ordinary user and installs nothing outside the folder, but for the
target in rustup's own. Started by root it tries a compiler as the account that will run it: what lies in root's home
is of no use to that one. Ends with status 1 and one line of reasons when there is no way.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from local.fetch import rust_crates
from local.fetch.command import UnavailableError, output
from local.fetch.debian_program import Packages
from local.supervisor.account import RUNNER, Account
from runtime.languages.rust.toolchain import WASI_TARGETS, Toolchain, ToolchainError

#: Seconds: asking a compiler; compiling and linking one function.
ASK_TIMEOUT = 20
PROBE_TIMEOUT = 60

_PROBE = '#[no_mangle] pub extern "C" fn probe() -> usize { format!("{:?}", std::env::args()).len() }\n'


def compiler_of(rustc: str, root: Path | None = None) -> Toolchain:
    """What rustc needs to make a WASI module, tried for real. `root` is where packages were unpacked."""
    environment = {} if root is None else {"LD_LIBRARY_PATH": _library_path(root)}
    account = Account.named(RUNNER)
    version = output_of([rustc, "--version"], environment, account=account)
    sysroot = Path(output_of([rustc, "--print", "sysroot"], environment, account=account))
    target = next(
        (name for name in WASI_TARGETS if any(sysroot.glob(f"lib/rustlib/{name}/lib/libstd-*"))), None
    )
    if target is None:
        raise UnavailableError(f"{rustc} ({version}) has no WASI target")
    direct = sysroot / "bin/rustc"
    compiler = Toolchain(
        rustc=str(direct if direct.is_file() else rustc),
        version=version,
        target=target,
        linker=None,
        environment=environment,
        crates="",
    )
    return _linking(compiler, root)


def _linking(compiler: Toolchain, root: Path | None) -> Toolchain:
    """The compiler with a linker that works, its own if it brings one."""
    reasons = []
    for linker in [None, *_linkers(root)]:
        candidate = replace(compiler, linker=linker)
        try:
            _probe(candidate)
        except UnavailableError as reason:
            reasons.append(str(reason))
        else:
            return candidate
    raise UnavailableError(f"{compiler.rustc} ({compiler.version}) cannot make a WASI module: {reasons[0]}")


def _library_path(root: Path) -> str:
    folders = {str(library.parent) for library in root.rglob("*.so*") if "rustlib" not in library.parts}
    return os.pathsep.join(sorted(folders))


def _linkers(root: Path | None) -> list[str]:
    """Linkers for WebAssembly, the newest first, for a rustc that brings none."""
    places = [root] if root else [Path("/")]
    found = [str(path) for place in places for path in place.glob("usr/lib/llvm-*/bin/wasm-ld")]
    on_path = shutil.which("wasm-ld")
    return [*([on_path] if on_path else []), *sorted(found, reverse=True)]


def _probe(compiler: Toolchain) -> None:
    account = Account.named(RUNNER)
    with tempfile.TemporaryDirectory() as folder:
        account.owns(Path(folder))
        source, module = Path(folder, "probe.rs"), Path(folder, "probe.wasm")
        source.write_text(_PROBE)
        command = compiler.command("--crate-type", "cdylib", "-o", str(module), str(source))
        output_of(command, {**compiler.variables, "TMPDIR": folder}, timeout=PROBE_TIMEOUT, account=account)


def output_of(
    command: list[str],
    variables: dict[str, str] | None = None,
    timeout: float = ASK_TIMEOUT,
    account: Account | None = None,
) -> str:
    """What a program prints, in a folder that each account can enter. Raises UnavailableError.

    Args:
        command: the program and its arguments.
        variables: added to ours.
        timeout: seconds.
        account: the account to run it as; ours by default.
    """
    environment = {**os.environ, **(variables or {})}
    return output(
        command, folder=Path("/"), environment=environment, timeout=timeout, account=account
    ).strip()


#: Seconds for adding a target, a download of 20 MB.
RUSTUP_TIMEOUT = 120


@dataclass(frozen=True)
class Site:
    """The folder that is being prepared."""

    folder: Path
    packages: Packages
    announce: Callable[[str], None]


def prepare(folder: Path, routes: Iterable[str], announce: Callable[[str], None]) -> Toolchain:
    """Make the folder a prepared toolchain unless it is one. Raises UnavailableError with all reasons."""
    if prepared := _prepared(folder):
        return prepared
    folder.mkdir(parents=True, exist_ok=True)
    site = Site(folder, Packages(folder / "packages"), announce)
    reasons = []
    try:
        for route in routes:
            try:
                return _prepare_by(ROUTES[route], site)
            except UnavailableError as reason:
                reasons.append(f"{route}: {reason}")
    finally:
        site.packages.close()
    raise UnavailableError("; ".join(reasons))


def installed(site: Site) -> Toolchain:
    """A compiler of this machine that has a WASI target."""
    site.announce("rust: looking for a compiler with a WASI target")
    reasons = []
    for rustc in _rustcs():
        try:
            return compiler_of(rustc)
        except UnavailableError as reason:
            reasons.append(str(reason))
    raise UnavailableError(", ".join(reasons) or "no rustc on this machine")


def rustup(site: Site) -> Toolchain:
    """The compiler of rustup's active toolchain, after the target has been added to it."""
    program = shutil.which("rustup")
    if program is None:
        raise UnavailableError("not on this machine")
    rustc = output_of([program, "which", "rustc"])
    if not Account.named(RUNNER).reads(Path(rustc)):
        raise UnavailableError(f"{rustc} is closed to other accounts")
    site.announce(f"rust: asking rustup for the target {WASI_TARGETS[0]}")
    output_of([program, "target", "add", WASI_TARGETS[0]], timeout=RUSTUP_TIMEOUT)
    return compiler_of(rustc)


def distribution(site: Site) -> Toolchain:
    """The distribution's compiler and target, unpacked into the folder."""
    site.announce("rust: fetching the distribution's compiler, about 100 MB")
    packages = site.packages
    names = _compiler_packages(packages)
    lacking = packages.missing_dependencies(name for name in names if not name.startswith("rustc"))
    packages.unpack(sorted({*names, *lacking} - {"libc6"}))
    return compiler_of(str(packages.root / "usr/bin/rustc"), packages.root)


ROUTES: dict[str, Callable[[Site], Toolchain]] = {
    "installed": installed,
    "rustup": rustup,
    "distribution": distribution,
}


def _prepared(folder: Path) -> Toolchain | None:
    """What the folder holds, unless its compiler is gone or was replaced by another version meanwhile."""
    try:
        toolchain = Toolchain.load(folder)
        version = output_of(
            [toolchain.rustc, "--version"], toolchain.environment, account=Account.named(RUNNER)
        )
    except (ToolchainError, UnavailableError):
        return None
    return toolchain if version == toolchain.version else None


def _prepare_by(route: Callable[[Site], Toolchain], site: Site) -> Toolchain:
    compiler = route(site)
    site.announce(f"rust: {compiler.version} makes {compiler.target}; fetching serde_json's sources")
    toolchain = compiler.with_crates(_crates(compiler, site))
    toolchain.save(site.folder)
    return toolchain


def _crates(compiler: Toolchain, site: Site) -> Path:
    """The registry's where the compiler came with a cargo, else the distribution's."""
    cargo = str(Path(compiler.rustc).with_name("cargo"))
    ways: list[Callable[[], Path]] = [lambda: rust_crates.from_packages(site.packages)]
    if Path(cargo).is_file():
        ways.insert(0, lambda: rust_crates.from_registry(site.folder, cargo))
    reasons = []
    for way in ways:
        try:
            return way()
        except UnavailableError as reason:
            reasons.append(str(reason))
    raise UnavailableError(", ".join(reasons))


def _rustcs() -> list[str]:
    """Every rustc that may be meant, the first wish first. A shim of rustup may hide the distribution's."""
    folders = [*os.environ.get("PATH", "").split(os.pathsep), str(Path.home() / ".cargo/bin"), "/usr/bin"]
    found = [os.environ.get("RUSTC", ""), *(str(Path(folder) / "rustc") for folder in folders)]
    return [rustc for rustc in dict.fromkeys(found) if rustc and os.access(rustc, os.X_OK)]


def _compiler_packages(packages: Packages) -> list[str]:
    """rustc, its libraries, the WASI standard library and a linker. The host's own rlibs are of no use here."""
    pending, names = ["rustc", "libstd-rust-dev-wasm32"], ["libstd-rust-dev-wasm32"]
    while pending:
        name = pending.pop()
        names.append(name)
        pending += [
            dependency
            for dependency in packages.dependencies(name)
            if dependency.startswith(("rustc", "libstd-rust")) and dependency not in names
        ]
    linkers = packages.dependencies(*names, kind="Recommends")
    linkers = [name for name in linkers if name.startswith("lld")]
    return [name for name in dict.fromkeys(names) if not name.endswith("-dev")] + linkers


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.fetch.rust_toolchain", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--route", choices=ROUTES, action="append", help="only this way (may be repeated)")
    arguments = parser.parse_args()
    try:
        toolchain = prepare(
            arguments.folder.absolute(), arguments.route or ROUTES, partial(print, flush=True)
        )
    except UnavailableError as reason:
        print(f"rust: no compiler with a WASI target: {reason}", file=sys.stderr)
        return 1
    print(f"rust: {toolchain.version} for {toolchain.target} is ready in {arguments.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
