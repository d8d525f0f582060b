#!/bin/sh
# Installs the host and the function of this folder into the Python environment in use:
#     sh install.sh [controller|runtime]
# The argument names the shared library the function is built on. The other one is removed, so that neither
# can be imported where the other runs.
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

# In one go, so that pip sees all requirements and refuses those that contradict each other. A library says itself what
# it asks for; function/requirements.txt has then the versions, of the other library's packages as well.
set -- --requirement requirements.txt
if [ -n "$library" ]; then
    set -- "$@" --constraint function/requirements.txt "./function[$library]"
elif [ -f function/requirements.txt ]; then
    set -- "$@" --requirement function/requirements.txt
fi
pip install "$@"

# The library is installed like any package; what stays in function/ is the handler.
[ -z "$library" ] || rm -rf "function/$library" function/telemetry function/configuration function/build function/*.egg-info
