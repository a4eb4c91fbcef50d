"""Work beside and beyond a request."""

import asyncio

import pytest

from services.run_service.application.background import every, to_the_end


async def test_work_goes_on_to_its_end_when_whoever_awaits_it_goes_away() -> None:
    ended = asyncio.Event()

    async def work() -> str:
        await asyncio.sleep(0.02)
        ended.set()
        return "done"

    waiting = asyncio.create_task(to_the_end(work()))
    await asyncio.sleep(0.005)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    async with asyncio.timeout(1):
        await ended.wait()


async def test_who_awaits_it_gets_its_result_or_its_error() -> None:
    async def work(fails: bool) -> str:
        if fails:
            raise ValueError("no")
        return "done"

    assert await to_the_end(work(fails=False)) == "done"
    with pytest.raises(ValueError, match="no"):
        await to_the_end(work(fails=True))


async def test_what_is_done_again_and_again_survives_its_failures(caplog: pytest.LogCaptureFixture) -> None:
    done: list[None] = []
    often = asyncio.Event()

    async def action() -> None:
        done.append(None)
        if len(done) == 2:
            raise ValueError("once")
        if len(done) == 4:
            often.set()

    repeating = asyncio.create_task(every(0.001, action))
    await often.wait()
    repeating.cancel()
    await asyncio.wait([repeating])
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["once"]
