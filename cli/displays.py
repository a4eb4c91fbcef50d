"""What is shown while a run is watched: a live picture on a terminal, lines elsewhere, JSON lines, or nothing."""

import time
from types import TracebackType
from typing import Protocol, Self

from powerfill.run.v1.event_pb2 import RunEvent
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from cli.console import count, money, plain, print_json, say, seconds, stderr, stdout
from cli.progress import DONE, FAILED, SKIPPED, WAITING, WORKING, RunProgress, StepProgress, step_name
from cli.wire import event_json

IMPROVEMENT = "improve"
"""The phase that reports its value again and again."""

PROGRESS_LINE_S = 2.0
"""Where there is no terminal, a step's progress and the improvement of its value are told at most so often."""


class Display(Protocol):
    """Sees a run's events; between `__enter__` and `__exit__` it may hold the terminal."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """What is shown stays."""

    def show(self, event: RunEvent, progress: RunProgress) -> None:
        """One more event, already part of `progress`."""

    def remark(self, text: str) -> None:
        """Something about the watching itself."""


def display_for(*, watch: bool, as_json: bool, title: str) -> Display:
    """The display for these options and this output."""
    if not watch:
        return Quiet()
    if as_json:
        return JsonLines()
    console = stdout()
    return LivePicture(console, title) if console.is_terminal else Lines(console)


class Quiet:
    """Shows nothing but remarks, on stderr."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        pass

    def show(self, event: RunEvent, progress: RunProgress) -> None:
        """Nothing."""

    def remark(self, text: str) -> None:
        """A line on stderr."""
        say(stderr(), text)


class JsonLines(Quiet):
    """Every event as one line of JSON."""

    def show(self, event: RunEvent, progress: RunProgress) -> None:
        """One line."""
        print_json(event_json(event), indent=None)


class Lines(Quiet):
    """A line for what matters, with the seconds since the first event."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._quiet_until_s = 0.0

    def show(self, event: RunEvent, progress: RunProgress) -> None:
        """A line, unless the event is one of many of its kind."""
        kind, text = event.WhichOneof("kind"), _event_text(event, progress)
        is_one_of_many = kind == "step_progress" or (kind == "pass_completed" and progress.phase == IMPROVEMENT)
        if is_one_of_many and progress.elapsed_s < self._quiet_until_s:
            return
        if is_one_of_many or kind == "step_started":
            self._quiet_until_s = progress.elapsed_s + PROGRESS_LINE_S
        if text:
            say(self._console, f"{progress.elapsed_s:7.1f} s  {text}")


class LivePicture:
    """The steps with their progress, the figures so far and the warnings, redrawn in place."""

    def __init__(self, console: Console, title: str) -> None:
        self._title = title
        self._progress = RunProgress()
        self._seen_s = time.monotonic()
        self._remark = ""
        self._spinner = Spinner("dots" if console.encoding.startswith("utf") else "line")
        self._live = Live(get_renderable=self._picture, console=console, refresh_per_second=10)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._live.__exit__(kind, error, trace)

    def show(self, event: RunEvent, progress: RunProgress) -> None:
        """The next picture has it."""
        self._progress, self._seen_s = progress, time.monotonic()

    def remark(self, text: str) -> None:
        """A line under the picture, in place of the last one."""
        self._remark = text

    def _picture(self) -> RenderableType:
        progress = self._progress
        waited_s = 0.0 if progress.finished else time.monotonic() - self._seen_s
        now_s = progress.elapsed_s + waited_s
        head = Text.assemble((plain(self._title), "bold"), f"  {progress.status}  {seconds(now_s)}")
        if progress.attempt > 1:
            head.append(f"  attempt {progress.attempt}")
        table = Table.grid(padding=(0, 2))
        table.add_column(width=1)
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis")
        for name, step in progress.steps.items():
            table.add_row(self._mark(step), Text(name, style="dim" if step.state == WAITING else ""), *_step_cells(step, now_s))
        lines: list[RenderableType] = [head, table, *map(Text, _figure_lines(progress))]
        if self._remark:
            lines.append(Text(plain(self._remark), style="yellow"))
        return Group(*lines)

    def _mark(self, step: StepProgress) -> RenderableType:
        if step.state == WORKING and not self._progress.finished:
            return self._spinner
        return Text(*_MARKS.get(step.state, (" ", "")))


_MARKS = {DONE: ("+", "green"), SKIPPED: ("-", "dim"), FAILED: ("x", "bold red")}


def _step_cells(step: StepProgress, now_s: float) -> tuple[RenderableType, RenderableType]:
    """How long, and how far or what came of it."""
    match step.state:
        case "working":
            told = Text(plain(step.message))
            if not step.fraction:
                return seconds(max(0.0, now_s - step.started_s)), told
            row = Table.grid(padding=(0, 2))
            row.add_row(ProgressBar(total=1.0, completed=step.fraction, width=24), f"{100 * step.fraction:.0f} %", told)
            return seconds(max(0.0, now_s - step.started_s)), row
        case "done":
            return seconds(step.duration_s), f"{count(step.row_count)} rows"
        case "skipped":
            return "skipped", Text(plain(step.message), style="dim")
        case "failed":
            return "failed", Text(plain(step.message), style="red")
        case _:
            return "", ""


def _figure_lines(progress: RunProgress) -> list[str]:
    """The value so far, how far it is from the best, and the warnings, one a line."""
    lines = _value_texts(progress)
    if progress.warnings:
        by_code = ", ".join(f"{code} {number}" for code, number in sorted(progress.warnings.items()))
        lines.append(f"warnings {progress.warnings.total()}: {by_code}")
    return lines


def _value_texts(progress: RunProgress) -> list[str]:
    if progress.value is None:
        return []
    texts = [f"{progress.phase}: value {money(progress.value)}, {count(progress.allocated_count)} loans allocated"]
    if progress.gap is not None:
        texts.append(f"at most {money(progress.gap)} under the best (bound {money(progress.upper_bound)})")
    return texts


def _event_text(event: RunEvent, progress: RunProgress) -> str:
    """An event in words; empty for those that say nothing beyond another."""
    match event.WhichOneof("kind"):
        case "accepted":
            return f"run {event.run_id} accepted"
        case "status_changed":
            return progress.status
        case "step_progress":
            told = event.step_progress
            return f"{step_name(told.step)}: {100 * told.fraction:.0f} % {told.message}"
        case "step_completed":
            step = progress.steps[step_name(event.step_completed.step)]
            return f"{step_name(event.step_completed.step)}: {count(step.row_count)} rows in {seconds(step.duration_s)}"
        case "step_skipped":
            return f"{step_name(event.step_skipped.step)}: skipped, {event.step_skipped.reason}"
        case "step_failed":
            return f"{step_name(event.step_failed.step)}: failed, {event.step_failed.message}"
        case "pass_completed":
            return ", ".join(_value_texts(progress))
        case "warning":
            told_of = event.warning
            return f"warning {told_of.code}: {told_of.message}{f' ({count(told_of.count)})' if told_of.count else ''}"
        case "finished":
            return f"ended {progress.status}"
        case _:
            return ""
