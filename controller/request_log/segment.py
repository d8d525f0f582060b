"""Segment: one file of the spool. A record is a frame: its length, its CRC-32, its bytes.

docs/adr/0020 compares it with sqlite3.
"""

import fcntl
import os
import struct
import zlib
from pathlib import Path

#: Length and CRC-32 of the record that follows.
HEADER = struct.Struct(">II")


def framed(record: bytes) -> bytes:
    """Return the frame of a record."""
    return HEADER.pack(len(record), zlib.crc32(record)) + record


class Segment:
    """A file of records, locked by this process.

    `begin` and `end` are the positions of the records that were last read. If the file is appended to, `end` is its
    size.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self.begin = 0
        self.end = 0

    @classmethod
    def taken(cls, path: Path, flags: int = 0) -> "Segment | None":
        """Lock a segment and return it. None: another process has it, or it is gone."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | flags, 0o600)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its owner may have removed it after the open and before the lock.
            if os.fstat(descriptor).st_nlink:
                return cls(path, descriptor)
        except BlockingIOError:
            pass
        os.close(descriptor)
        return None

    def append(self, data: bytes) -> None:
        """Write at the end and sync. After an error the file is as before."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            os.fsync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, self.end)
            raise
        self.end += len(data)

    def records(self, most: int, most_bytes: int) -> tuple[list[bytes], int]:
        """Return whole records from `begin` on, at least one if there is one, and the number of damaged bytes."""
        size = os.fstat(self._descriptor).st_size
        records: list[bytes] = []
        self.end = self.begin
        while self.end < size and len(records) < most and self.end - self.begin < most_bytes:
            record = self._record(self.end, size)
            if record is None:
                return records, size - self.end
            records.append(record)
            self.end += HEADER.size + len(record)
        return records, 0

    def _record(self, place: int, size: int) -> bytes | None:
        header = os.pread(self._descriptor, HEADER.size, place)
        if len(header) < HEADER.size:
            return None
        length, checksum = HEADER.unpack(header)
        # Zeros are damage: they would be the frame of an empty record, which is never written.
        if not length or length > size - place - HEADER.size:
            return None
        record = os.pread(self._descriptor, length, place + HEADER.size)
        return record if len(record) == length and zlib.crc32(record) == checksum else None

    def remove(self) -> None:
        """Delete and unlock the file."""
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Unlock the file."""
        os.close(self._descriptor)
