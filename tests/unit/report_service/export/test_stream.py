"""A report chunk by chunk into an encoder: the header first, nothing lost, no more in memory than a chunk, no file left."""

import asyncio
import contextlib
import dataclasses
import threading
from collections.abc import AsyncGenerator, Callable

import pytest

from services.report_service.export.encoder import Chunk, Encoder
from services.report_service.export.stream import CHUNKS_AT_ONCE, PART_BYTES, Exports
from services.report_service.reports import base
from services.report_service.reports.freshness import Freshness, Verdict
from shared.errors import PowerFillError, Reason


def header(row_count: int) -> base.Header:
    return base.Header(None, Verdict(Freshness.CURRENT), row_count, ())


@dataclasses.dataclass
class Pages:
    """A report of so many pages with two rows each, whose header promises `promised`."""

    pages: int
    promised: int
    asked: list[base.Params] = dataclasses.field(default_factory=list)

    async def read(self, params: base.Params) -> base.Page:
        self.asked.append(params)
        number = params.after[0] if params.after else 0
        last = number + 1 >= self.pages
        following = None if last else dataclasses.replace(params, after=(number + 1,))
        return base.Page(header(self.promised), {"loan_id": (f"L{number}a", f"L{number}b")}, following)


class Letters:
    """An encoder of one byte a row and `extra` at the end, that counts who opens and closes it."""

    def __init__(self, extra: int = 1) -> None:
        self.data, self.extra, self.closed, self.finished = b"", extra, 0, False
        self.added: list[Chunk] = []

    def add(self, chunk: Chunk) -> None:
        self.added.append(chunk)
        self.data += b"x" * len(chunk["loan_id"])

    def finish(self) -> None:
        self.finished = True
        self.data += b"." * self.extra

    def read(self, size: int) -> bytes:
        part, self.data = self.data[:size], self.data[size:]
        return part

    def close(self) -> None:
        self.closed += 1


def stream(pages: Pages, encoder: Encoder) -> AsyncGenerator[base.Header | bytes, None]:
    return Exports().stream(pages.read, base.Params(page_size=2), lambda _: encoder)


async def test_the_header_then_every_row_as_it_comes() -> None:
    pages, encoder = Pages(3, 6), Letters()
    parts = [part async for part in stream(pages, encoder)]
    assert parts == [header(6), b"xx", b"xx", b"xx", b"."]
    assert [params.after for params in pages.asked] == [None, (1,), (2,)]
    assert (encoder.finished, encoder.closed) == (True, 1)


async def test_a_part_is_never_larger_than_a_message_may_be() -> None:
    parts = [part async for part in stream(Pages(1, 2), Letters(extra=2 * PART_BYTES + 1))]
    assert [len(part) for part in parts if isinstance(part, bytes)] == [2, PART_BYTES, PART_BYTES, 1]


@pytest.mark.parametrize("promised", [5, 7])
async def test_rows_that_are_not_as_many_as_promised_are_an_error_and_no_shorter_file(promised: int) -> None:
    encoder = Letters()
    with pytest.raises(PowerFillError) as error:
        [part async for part in stream(Pages(3, promised), encoder)]
    assert (error.value.reason, error.value.metadata) == (
        Reason.REPORT_CHANGED,
        {"row_count": str(promised), "rows": "6"},
    )
    assert (encoder.finished, encoder.closed) == (False, 1)


async def test_an_error_of_a_later_page_closes_the_encoder() -> None:
    encoder, pages = Letters(), Pages(3, 6)

    async def read(params: base.Params) -> base.Page:
        if params.after:
            raise ConnectionError("gone")
        return await pages.read(params)

    with pytest.raises(ConnectionError):
        [part async for part in Exports().stream(read, base.Params(), lambda _: encoder)]
    assert encoder.closed == 1


async def test_an_encoder_may_refuse_before_anything_is_sent() -> None:
    def refuse(told: base.Header) -> Encoder:
        raise ValueError(str(told.row_count))

    parts = Exports().stream(Pages(1, 2).read, base.Params(), refuse)
    with pytest.raises(ValueError, match="2"):
        await anext(parts)


async def test_a_client_that_goes_away_while_a_chunk_is_encoded_waits_for_no_one_and_leaves_nothing() -> None:
    """The thread ends what it does before the encoder is closed, though the call is long gone."""
    begun, ended, go_on = asyncio.Event(), asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    told: list[str] = []

    class Slow(Letters):
        def add(self, chunk: Chunk) -> None:
            loop.call_soon_threadsafe(begun.set)
            go_on.wait(10)
            told.append("added")

        def close(self) -> None:
            told.append("closed")
            loop.call_soon_threadsafe(ended.set)

    async def consume() -> None:
        async with contextlib.aclosing(stream(Pages(1, 2), Slow())) as parts:
            async for _ in parts:
                pass

    task = asyncio.create_task(consume())
    await begun.wait()
    task.cancel()
    await asyncio.sleep(0.05)
    task.cancel()  # a server that stops cancels a second time
    await asyncio.wait({task})
    assert told == []
    go_on.set()
    await ended.wait()
    assert told == ["added", "closed"]


async def test_only_so_many_chunks_are_in_memory_at_once() -> None:
    """Exports whose clients do not read hold no chunk, and those that work take turns."""
    held: set[int] = set()
    most = 0
    exports = Exports()

    def encoder_of(number: int) -> Callable[[base.Header], Encoder]:
        class Holding(Letters):
            def add(self, chunk: Chunk) -> None:
                held.discard(number)
                super().add(chunk)

        return lambda _: Holding()

    async def one(number: int) -> None:
        pages = Pages(3, 6)

        async def read(params: base.Params) -> base.Page:
            nonlocal most
            held.add(number)
            most = max(most, len(held))
            await asyncio.sleep(0.001)
            return await pages.read(params)

        async for _ in exports.stream(read, base.Params(), encoder_of(number)):
            await asyncio.sleep(0.001)

    idle = exports.stream(Pages(9, 18).read, base.Params(), encoder_of(99))
    await anext(idle)
    await asyncio.gather(*(one(number) for number in range(10)))
    assert most == CHUNKS_AT_ONCE
    await idle.aclose()
