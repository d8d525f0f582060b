"""What a rustc needs to make a WASI module, found out by having it make one."""

import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from local.fetch.command import UnavailableError, output
from local.supervisor.account import RUNNER, Account
from runtime.languages.rust.toolchain import WASI_TARGETS, Toolchain

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
