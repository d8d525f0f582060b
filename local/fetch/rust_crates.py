"""The sources of serde_json and what it needs: from the crates' registry by cargo, or from Debian's packages.

Both ways give folders with a Cargo.toml each, named crate-version. The versions asked of cargo compile with every
rustc since 1.63; their checksums are those of the published crates.
"""

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from local.fetch.command import UnavailableError, output
from local.fetch.debian_program import Packages

#: Seconds for cargo: a few hundred kilobytes, and its own tries again.
TIMEOUT = 60


@dataclass(frozen=True)
class Crate:
    version: str
    checksum: str
    features: str = "default-features = false"


CRATES = {
    "itoa": Crate("1.0.15", "4a5f13b858c8d314ee3e8f639011f7ccefe71f97f96e50151fb991f267928e2c"),
    "ryu": Crate("1.0.20", "28d3b2b1366ec20994f1fd18c3c594f05c5dd4bc44d8bb0c1c632c8d6829481f"),
    "memchr": Crate("2.7.4", "78ca9ab1a0babb1e7d5695e3530886289c18cf2f87ec19a575a0abdce112e3a3"),
    "serde": Crate("1.0.219", "5f0e2c6ed6606019b4e29e69dbaba95b11854410e5347d525002456dbbb786b6"),
    "serde_json": Crate("1.0.140", "20068b6e96dc6c9bd23e01df8827e6c7e1f2fddd43c21810382803c136b99373"),
}


def from_registry(folder: Path, cargo: str) -> Path:
    """Fetch the crates by cargo into `folder`. Raises UnavailableError."""
    with tempfile.TemporaryDirectory(dir=folder) as workspace:
        vendored = _vendor(Path(workspace), cargo)
        _check(vendored)
        crates = folder / "crates"
        shutil.rmtree(crates, ignore_errors=True)
        crates.mkdir()
        for name, crate in CRATES.items():
            (vendored / f"{name}-{crate.version}").rename(crates / f"{name}-{crate.version}")
    return crates


def from_packages(packages: Packages) -> Path:
    """Unpack Debian's source packages of the crates. Raises UnavailableError."""
    names = [f"librust-{name.replace('_', '-')}-dev" for name in CRATES]
    packages.unpack(packages.known(names))
    return packages.root / "usr/share/cargo/registry"


def _vendor(workspace: Path, cargo: str) -> Path:
    (workspace / "src").mkdir()
    (workspace / "src/lib.rs").touch()
    (workspace / "Cargo.toml").write_text(_manifest())
    command = [cargo, "vendor", "--quiet", "--versioned-dirs", str(workspace / "vendor")]
    output(command, folder=workspace, timeout=TIMEOUT)
    return workspace / "vendor"


def _manifest() -> str:
    dependencies = "".join(
        f'{name} = {{ version = "={crate.version}", {crate.features} }}\n' for name, crate in CRATES.items()
    )
    return (
        f'[package]\nname = "sources"\nversion = "0.0.0"\nedition = "2021"\n\n[dependencies]\n{dependencies}'
    )


def _check(vendored: Path) -> None:
    for name, crate in CRATES.items():
        record = json.loads((vendored / f"{name}-{crate.version}/.cargo-checksum.json").read_text())
        if record["package"] != crate.checksum:
            raise UnavailableError(
                f"the registry's {name} {crate.version} has another checksum than the one known here"
            )
