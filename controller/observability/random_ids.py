"""Random parts of identifiers, from a pool of the kernel's random bytes: a request needs two.

A system call for each would cost more than everything else about them. A forked process begins a pool anew, so no two
processes use the same bytes.
"""

import os

#: Bytes of one part: those of a UUID.
SIZE = 16
#: Parts that one system call brings.
DRAWN = 256
#: The digit of a UUID that says its variant, by two random bits.
VARIANTS = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))
_pool: list[str] = []
os.register_at_fork(after_in_child=_pool.clear)


def random_digits() -> str:
    """Return 32 random hexadecimal digits, which are used once. Any thread may call this."""
    while True:
        try:
            return _pool.pop()
        except IndexError:
            digits = os.urandom(SIZE * DRAWN).hex()
            _pool.extend(digits[at : at + 2 * SIZE] for at in range(0, len(digits), 2 * SIZE))


def random_uuid() -> str:
    """Return a random UUID (version 4)."""
    digits = random_digits()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{VARIANTS[digits[16]]}{digits[17:20]}-{digits[20:]}"
