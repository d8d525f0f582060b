"""Which bytes of an output stream are kept."""

import os
from collections.abc import Callable, Iterator

import gevent
import pytest

from runtime.process.output import Output

Opened = tuple[Output, Callable[[bytes], None]]


@pytest.fixture
def stream() -> Iterator[Opened]:
    """An output that keeps eight bytes, and a function that writes to it."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    output = Output(reading, 8)
    yield output, lambda data: _write_all(writing, data)
    os.close(writing)
    output.close()


def _write_all(descriptor: int, data: bytes) -> None:
    os.set_blocking(descriptor, False)
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            gevent.idle()


def test_output_within_the_bound_is_kept_whole(stream: Opened) -> None:
    output, write = stream
    write(b"12345678")
    assert output.take() == "12345678"
    assert output.take() == ""


def test_head_and_tail_are_kept_with_the_count_between_them(stream: Opened) -> None:
    output, write = stream
    write(b"abcd" + b"." * 1_000_000 + b"wxyz")
    assert output.take() == "abcd\n... 1000000 bytes left out ...\nwxyz"


def test_characters_are_not_cut_in_two(stream: Opened) -> None:
    output, write = stream
    write("あいうえ".encode())
    assert output.take() == "あ\n... 6 bytes left out ...\nえ"


def test_bytes_that_are_not_utf8_are_escaped(stream: Opened) -> None:
    output, write = stream
    write(b"a\xff\xe3")
    assert output.take() == "a\\xff\\xe3"


def test_earlier_output_is_discarded(stream: Opened) -> None:
    output, write = stream
    write(b"old")
    gevent.idle()
    output.take()
    write(b"older")
    output.take()
    output.discard()
    write(b"new")
    assert output.take() == "new"
