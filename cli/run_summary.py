"""A run for people: what became of it, what it earned, how far from the best that is, and what was left out."""

from collections.abc import Mapping
from decimal import Decimal

from powerfill.common.v1.run_status_pb2 import RunStatus
from powerfill.run.v1.run_pb2 import BoundKind, EndedBy, Run, RunSummary, StepOutcome

from cli.console import count, figures, money, number, say, seconds, stdout
from cli.exit_codes import ExitCode
from cli.progress import step_name
from cli.wire import local_time, options_json, word
from shared.rpc.values import duration_from_proto, timestamp_from_proto

EXIT_CODES: Mapping[int, ExitCode] = {
    RunStatus.RUN_STATUS_COMPLETE: ExitCode.DONE,
    RunStatus.RUN_STATUS_FAILED: ExitCode.FAILED,
    RunStatus.RUN_STATUS_CANCELLED: ExitCode.CANCELLED,
}
"""By final status."""

ENDS = {
    EndedBy.ENDED_BY_CONVERGED: "nothing was left to improve",
    EndedBy.ENDED_BY_WORK_LIMIT: "the work limit ended the improvement",
    EndedBy.ENDED_BY_TIME_LIMIT: "the time limit ended the improvement",
    EndedBy.ENDED_BY_CANCELLED: "the cancel ended the improvement",
}


SAME_ANSWER = "the same answer as the run it replays: value and allocated loans"


def print_run(run: Run) -> None:
    """The summary of a run that ended, or what is known of one that has not."""
    console = stdout()
    say(console, _headline(run), style="bold")
    if run.HasField("failure"):
        say(console, f"  {f'in {run.failure.step}: ' if run.failure.step else ''}{run.failure.message}")
    if run.outputs_removed:
        say(console, "  its outputs and inputs were removed by retention; these figures and its events remain")
    if run.status == RunStatus.RUN_STATUS_COMPLETE:
        for line in figures(summary_rows(run.summary)):
            say(console, line)


def print_steps(run: Run) -> None:
    """How each step went."""
    rows = []
    for step in run.steps:
        outcome = word(StepOutcome.DESCRIPTOR, step.outcome).lower()
        told = f"{count(step.row_count)} rows" if step.outcome == StepOutcome.STEP_OUTCOME_COMPLETED else outcome
        lasted = "" if step.outcome == StepOutcome.STEP_OUTCOME_SKIPPED else seconds(duration_from_proto(step.duration))
        rows.append((step_name(step.step), f"{lasted:>9}  {told}{f': {step.message}' if step.message else ''}"))
    for line in figures(rows):
        say(stdout(), line)


def print_options(run: Run) -> None:
    """Every option of a run, resolved."""
    rows = [("requested by", run.requested_by)]
    for name, value in options_json(run.options).items():
        parts = ", ".join(f"{kind} {points}" for kind, points in value.items()) if isinstance(value, dict) else value
        rows.append((name, "none" if parts is None else str(parts)))
    for line in figures(rows):
        say(stdout(), line)


def summary_rows(summary: RunSummary) -> list[tuple[str, str]]:
    """The figures of a complete run that a desk reads first, each with its name."""
    rows = [("value", f"{money(summary.value.value)}{_gain(summary)}")]
    if summary.HasField("gap_amount"):
        end = f"; {ENDS[summary.ended_by]}" if summary.ended_by in ENDS else ""
        kind = word(BoundKind.DESCRIPTOR, summary.bound_kind)
        rows.append(
            (
                "left on the table",
                f"at most {money(summary.gap_amount.value)}, {number(Decimal(summary.gap_bp.value))} bp of the balance in scope",
            )
        )
        rows.append(("upper bound", f"{money(summary.upper_bound.value)}{f' ({kind})' if kind else ''}{end}"))
    if summary.HasField("passes_value") and summary.HasField("value"):
        over = Decimal(summary.value.value) - Decimal(summary.passes_value.value)
        rows.append(("over PASSES", f"{money(over)} (PASSES reaches {money(summary.passes_value.value)})"))
    allocated = f"{count(summary.allocated_count)} of {count(summary.in_scope_count)} loans"
    rows += [
        ("allocated", f"{allocated}, {money(summary.allocated_amount.value)} of {money(summary.in_scope_amount.value)}"),
        ("not yet closed", f"{money(summary.allocated_not_closed_amount.value)} of the allocated may fall out"),
        (
            "trades",
            f"{count(summary.trades_filled)} filled, {count(summary.trades_underfilled)} under their band; "
            f"pair-off {money(summary.total_pair_off.value)}",
        ),
        ("left out", f"{count(summary.kicked_out_count)} loans{_reasons(summary)}"),
        ("candidates", f"{count(summary.candidate_count)} under {count(summary.constraint_count)} constraints"),
    ]
    return rows


def answers_differ(original: RunSummary, replay: RunSummary) -> list[str]:
    """In what the figures of a replay's answer are others than those of the run it replays; empty: the same answer."""
    pairs = [
        ("value", money(original.value.value), money(replay.value.value)),
        ("allocated", count(original.allocated_count), count(replay.allocated_count)),
    ]
    return [f"{name} {after} instead of {before}" for name, before, after in pairs if before != after]


def lasted_s(run: Run) -> float | None:
    """Seconds from submission to end; None while active."""
    if not run.HasField("ended_at"):
        return None
    ended = timestamp_from_proto(run.ended_at, "ended_at")
    return (ended - timestamp_from_proto(run.submitted_at, "submitted_at")).total_seconds()


def status_word(run: Run) -> str:
    """The run's status."""
    return word(RunStatus.DESCRIPTOR, run.status)


def _headline(run: Run) -> str:
    options = options_json(run.options)
    lasted = lasted_s(run)
    time = f"submitted {local_time(run.submitted_at)}" if lasted is None else f"in {seconds(lasted)}"
    replay = f", replay of {run.replay_of}" if run.replay_of else ""
    what = f"as of {options['as_of_date']}, {options['strategy']}{replay}"
    return f"run {run.run_id} of {run.tenant_id}: {status_word(run)} {time} ({what})"


def _gain(summary: RunSummary) -> str:
    """What the allocation adds, where both values are there."""
    if not (summary.HasField("value") and summary.HasField("baseline_value")):
        return ""
    gain = Decimal(summary.value.value) - Decimal(summary.baseline_value.value)
    return f", {money(abs(gain))} {'less' if gain < 0 else 'more'} than with every unlocked loan left out"


def _reasons(summary: RunSummary) -> str:
    reasons = sorted(summary.kickouts_by_reason.items(), key=lambda item: (-item[1], item[0]))
    listed = ", ".join(f"{reason} {count(loans)}" for reason, loans in reasons if loans)
    return f": {listed}" if listed else ""
