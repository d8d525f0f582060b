#!/bin/sh
# Runs the tests that lie in the function's folder, test_*.py or *_test.py, and ends as they do:
#     sh test.sh [off]
# A build whose tests fail makes no image. What they need besides the function's own packages is installed here, in
# a stage that is not shipped.
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
# As a module, so that the folder of the host can be imported from.
python -m pytest -p no:cacheprovider function
