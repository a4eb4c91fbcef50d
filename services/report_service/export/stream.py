"""A report as the bytes of a file, with no more of it in memory than some rows: read, encoded and sent chunk by chunk."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TypeVar

from services.report_service.export.encoder import Chunk, Encoder
from services.report_service.reports import base
from shared.errors import report_changed

CHUNK_ROWS = 5000
"""Rows read at once, each time on a connection of its own: no snapshot is held while a client takes its time. Twice as many
take 10 MB more and are no faster."""

PART_BYTES = 256 * 1024
"""Bytes sent at once, at most: a quarter of what the contract allows, since gRPC holds a part several times while it is sent."""

CHUNKS_AT_ONCE = 2
"""Chunks that all the exports of a server hold in memory at once; further ones wait for their turn."""

Read = Callable[[base.Params], Awaitable[base.Page]]
"""A page of the report that is exported."""

_T = TypeVar("_T")


class Exports:
    """The exports of one server, which share the room for chunks."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(CHUNKS_AT_ONCE)

    async def stream(
        self, read: Read, params: base.Params, new_encoder: Callable[[base.Header], Encoder]
    ) -> AsyncGenerator[base.Header | bytes, None]:
        """The header, then the file's bytes in order.

        `new_encoder` may refuse a report by its header, before anything is sent. Raises what `read` raises, RUN_EXPIRED among
        them when the rows are removed meanwhile, and REPORT_CHANGED where not as many rows came as the header said.
        """
        header, rows = None, 0
        following: base.Params | None = params
        async with _Encoding(new_encoder) as encoding:
            while following is not None:
                async with self._turns:
                    page = await read(following)
                    await encoding.add(page)
                rows += len(next(iter(page.columns.values())))
                following, told = page.next, page.header
                del page
                if header is None:
                    header = told
                    yield header
                while part := await encoding.read():
                    yield part
            if header is not None and rows != header.row_count:
                raise report_changed(header.row_count, rows)
            await encoding.finish()
            while part := await encoding.read():
                yield part


class _Encoding:
    """An encoder and the thread it works in.

    The one thread does one thing after the other, so that what is under way when a client leaves ends before the encoder is
    closed, whoever still waits for it.
    """

    def __init__(self, new_encoder: Callable[[base.Header], Encoder]) -> None:
        self._new_encoder = new_encoder
        self._encoder: Encoder | None = None
        self._thread = ThreadPoolExecutor(1, "export")

    async def __aenter__(self) -> "_Encoding":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        closed = self._thread.submit(self._close)
        self._thread.shutdown(wait=False)
        await asyncio.shield(asyncio.wrap_future(closed))

    async def add(self, page: base.Page) -> None:
        """Encode the rows of a page; the first makes the encoder."""
        await self._in_thread(lambda: self._add(page.header, page.columns))

    async def finish(self) -> None:
        """Make the file whole."""
        await self._in_thread(self._opened().finish)

    async def read(self) -> bytes:
        """The next bytes that are ready."""
        return await self._in_thread(lambda: self._opened().read(PART_BYTES))

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _add(self, header: base.Header, chunk: Chunk) -> None:
        if self._encoder is None:
            self._encoder = self._new_encoder(header)
        self._encoder.add(chunk)

    def _opened(self) -> Encoder:
        if self._encoder is None:
            raise RuntimeError("an encoder is made by the first page")
        return self._encoder

    def _close(self) -> None:
        if self._encoder is not None:
            self._encoder.close()
