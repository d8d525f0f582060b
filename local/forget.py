"""Remove all of one user's local data: `python -m local.forget SUB`, or `make forget SUB=alice`."""

import argparse
import sys

from local.one_shot import errand


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.forget", description=__doc__)
    parser.add_argument("subject", metavar="SUB", help="the user: sub of their tokens")
    subject = parser.parse_args().subject
    return errand(lambda parts, postgres, redis: parts.forgetting(subject, postgres, redis))


if __name__ == "__main__":
    sys.exit(main())
