"""Bring the local database to the newest schema: `python -m local.migrate`, or `make migrate`."""

import sys

from local.one_shot import errand

if __name__ == "__main__":
    sys.exit(errand(lambda parts, postgres, _: parts.migration(postgres)))
