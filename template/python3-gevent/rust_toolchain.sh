#!/bin/sh
# Tells the runtime library of Debian's Rust compiler, and has it compile what every script is linked to:
#     sh rust_toolchain.sh DIR [runtime]
# Without that library there is only the compiler, which the function may call as it likes.
set -eu
folder="$1"
library="${2:-}"

mkdir -p "$folder"
[ "$library" = runtime ] || { echo "rust_toolchain.sh: no library to prepare it for"; exit 0; }

cat >"$folder/toolchain.json" <<END
{
  "rustc": "/usr/bin/rustc",
  "version": "$(rustc --version)",
  "target": "wasm32-wasip1",
  "linker": "/usr/bin/wasm-ld",
  "environment": {},
  "crates": "/usr/share/cargo/registry"
}
END
python -m runtime.languages.rust.glue "$folder"
