"""What a watcher sees of a run: lines, JSON lines, a picture, or nothing."""

import io
import json

import pytest
from powerfill.run.v1.event_pb2 import RunEvent
from powerfill.run.v1.run_pb2 import Step
from rich.console import Console

from cli.displays import Display, JsonLines, Lines, LivePicture, Quiet, display_for
from cli.progress import RunProgress
from tests.unit.cli import events


def play(display: Display, run: list[RunEvent]) -> None:
    progress = RunProgress()
    with display:
        for event in run:
            progress.apply(event)
            display.show(event, progress)


def lines_of(run: list[RunEvent]) -> list[str]:
    out = io.StringIO()
    play(Lines(Console(file=out, width=80)), run)
    return out.getvalue().splitlines()


def test_lines() -> None:
    assert lines_of(events.whole_run()) == [
        f"    0.0 s  run {events.RUN_ID} accepted",
        "    1.0 s  PRE_PROCESSING",
        "    4.0 s  read_inputs: 1,234 rows in 1.0 s",
        "    5.0 s  warning DATA_QUALITY: postings of an unknown loan (2)",
        "    6.0 s  bx_cash_grids: skipped, no bx_price_floor",
        "    7.0 s  ALLOCATING",
        "    9.0 s  passes: value $100.00, 3 loans allocated",
        "   10.0 s  improve: value $150.00, 4 loans allocated, at most $10.00 under the best (bound $160.00)",
        "   11.0 s  allocation: 4 rows in 3.0 s",
        "   12.0 s  COMPLETE",
        "   13.0 s  ended COMPLETE",
    ]


def test_progress_is_told_every_two_seconds() -> None:
    run = [events.event(1, second=0.0, **events.started(Step.STEP_WRITE_OUTPUTS))]
    run += [
        events.event(number + 2, second=0.5 * number, **events.going_on(Step.STEP_WRITE_OUTPUTS, number / 10, "rows"))
        for number in range(10)
    ]
    assert [line.split()[0] for line in lines_of(run)] == ["2.0", "4.0"]


def test_the_picture_ends_with_the_whole_run() -> None:
    out = io.StringIO()
    console = Console(file=out, width=100, force_terminal=True, color_system=None)
    play(LivePicture(console, "run of acme"), events.whole_run())
    last = out.getvalue().split("run of acme")[-1]
    assert "COMPLETE  13.0 s" in last
    for part in ("read_inputs", "1,234 rows", "skipped  no bx_price_floor", "value $150.00, 4 loans", "at most $10.00 under"):
        assert part in last
    assert "warnings 1: DATA_QUALITY 1" in last


def test_a_failed_step_and_a_remark_are_in_the_picture() -> None:
    out = io.StringIO()
    display = LivePicture(Console(file=out, width=100, force_terminal=True, color_system=None), "run")
    progress = RunProgress()
    with display:
        for event in [*events.whole_run()[:9], events.event(10, **events.failed(Step.STEP_ALLOCATION, "no [memory]"))]:
            progress.apply(event)
            display.show(event, progress)
        display.remark("connection lost")
    assert "failed  no [memory]" in out.getvalue()
    assert "connection lost" in out.getvalue()


def test_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    play(JsonLines(), events.whole_run())
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["sequence"] for event in told] == list(range(1, 15))
    assert told[3] | {"recorded_at": ""} == {
        "sequence": 4, "run_id": events.RUN_ID, "recorded_at": "", "attempt": 1, "kind": "step_progress",
        "step": "read_inputs", "fraction": 0.5, "message": "reading loan", "counters": {},
    }  # fmt: skip


def test_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    display = Quiet()
    play(display, events.whole_run())
    display.remark("connection lost")
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "connection lost\n")


@pytest.mark.parametrize(
    ("watch", "as_json", "kind"), [(False, False, Quiet), (False, True, Quiet), (True, True, JsonLines), (True, False, Lines)]
)
def test_the_display_fits_options_and_output(watch: bool, as_json: bool, kind: type) -> None:
    assert type(display_for(watch=watch, as_json=as_json, title="run")) is kind  # the output of tests is no terminal
