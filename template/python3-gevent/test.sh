#!/bin/sh
# Runs the tests in the function's folder, test_*.py or *_test.py, and ends with their status:
#     sh test.sh [off]
# A build with failing tests makes no image. The packages that only tests need are installed here, in a stage that is
# not shipped.
set -eu

if [ "${1:-on}" = off ]; then
    echo "test.sh: the function's tests are switched off by TEST=off"
    exit 0
fi
if [ -z "$(find function -name 'test_*.py' -o -name '*_test.py')" ]; then
    echo "test.sh: the function has no tests, no test_*.py or *_test.py"
    exit 0
fi

pip install --requirement requirements-test.txt
# As a module, so that tests can import from the folder of the host.
python -m pytest -p no:cacheprovider function
