"""What the formats have in common: columns and then chunks of cells go in, bytes come out as soon as there are some."""

from collections.abc import Mapping
from typing import Protocol

from services.report_service.reports.cells import Cells

Chunk = Mapping[str, Cells]
"""Some rows of a report by column, as `base.Page` has them; every chunk of a file has the same columns."""


class Encoder(Protocol):
    """Makes one file. Its methods are called one at a time, from one thread; `close` is always the last."""

    def add(self, chunk: Chunk) -> None:
        """Take the next rows."""
        ...

    def finish(self) -> None:
        """Make the file whole: no rows follow."""
        ...

    def read(self, size: int) -> bytes:
        """The next bytes of the file, at most `size`; none where no more are ready yet or, after `finish`, at its end."""
        ...

    def close(self) -> None:
        """Give back what the encoder holds, whether or not the file is whole."""
        ...


class Outbox:
    """Bytes written and not yet read: a file as writers see it, a queue as readers do."""

    closed = False

    def __init__(self) -> None:
        self._bytes = bytearray()

    def write(self, data: bytes) -> int:
        """Take these bytes."""
        self._bytes += data
        return len(data)

    def flush(self) -> None:
        """They are there as soon as they are written."""

    def read(self, size: int) -> bytes:
        """Give away the first bytes, at most `size`."""
        taken = bytes(memoryview(self._bytes)[:size])
        del self._bytes[:size]
        return taken
