#!/bin/sh
# Installs the host and the function of this folder into the current Python environment:
#     sh install.sh [controller|runtime]
# The argument names the library that the function uses. The other one is removed, so that it cannot be imported.
set -eu
library="${1:-}"

case "$library" in
    controller) rm -rf function/runtime ;;
    runtime) rm -rf function/controller ;;
    "") ;;
    *) echo "install.sh: no such library: $library" >&2; exit 2 ;;
esac

if [ -n "$library" ] && [ ! -d "function/$library" ]; then
    echo "install.sh: function/$library is missing: does stack.yml copy it?" >&2
    exit 2
fi

# In one call, so that pip refuses requirements that contradict each other. A library declares its requirements itself;
# function/requirements.txt then has the versions, also for the other library.
set -- --requirement requirements.txt
if [ -n "$library" ]; then
    set -- "$@" --constraint function/requirements.txt "./function[$library]"
elif [ -f function/requirements.txt ]; then
    set -- "$@" --requirement function/requirements.txt
fi
pip install "$@"

# The library is installed like any package; only the handler stays in function/.
[ -z "$library" ] || rm -rf "function/$library" function/telemetry function/configuration function/framing function/build function/*.egg-info
