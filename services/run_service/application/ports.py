"""What the application needs of the world, as protocols with their promises.

Everything that reaches a tenant's database raises `shared.errors.PowerFillError`: TENANT_UNKNOWN, TENANT_UNAVAILABLE (try
again), DATABASE_PERMISSION or SCHEMA_VERSION, and never a driver's exception.
"""

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

import polars as pl

from services.run_service.application.survey import Survey
from services.run_service.domain.events import Accepted, EventKind, RunEvent
from services.run_service.domain.life import Change, Lease
from services.run_service.domain.options import RunOptions
from services.run_service.domain.outcome import Outcome
from services.run_service.domain.run import Run, RunRef, RunStatus
from services.run_service.engine.frames import RunInputs

Decide = Callable[[Run], Change | None]
Answer = TypeVar("Answer")


class Clock(Protocol):
    """The time."""

    def now(self) -> dt.datetime:
        """Now, in UTC."""


class IdSource(Protocol):
    """Identifiers nobody has used before."""

    def new_id(self) -> str:
        """At most 36 characters."""


class TenantDirectory(Protocol):
    """The tenants of the registry."""

    def ids(self) -> Sequence[str]:
        """All of them, as the registry is now."""

    def time_zone(self, tenant_id: str) -> ZoneInfo:
        """Where the desk's day begins. Raises TENANT_UNKNOWN."""

    def keep_runs(self, tenant_id: str) -> int:
        """How many complete runs keep their outputs and inputs, the newest; at least 1. Raises TENANT_UNKNOWN."""


class TenantTables(Protocol):
    """What a tenant's tables look like and what its policy says."""

    async def survey(self, tenant_id: str) -> Survey:
        """Everything the preflight checks look at, read in one transaction. Missing tables are part of the answer."""


class RunConflictError(Exception):
    """The database refused a new run: the tenant has an active one, or one with the same request_id."""


@dataclass(frozen=True)
class Changed:
    """A run after a change, and the events that were recorded with it."""

    run: Run
    events: tuple[RunEvent, ...]


@dataclass(frozen=True)
class RunSelection:
    """Which runs to list: of one of these statuses (none: all), submitted in [from, before)."""

    statuses: tuple[RunStatus, ...] = ()
    submitted_from: dt.datetime | None = None
    submitted_before: dt.datetime | None = None


@dataclass(frozen=True)
class RunCursor:
    """The last run of a page; the next page begins after it."""

    submitted_at: dt.datetime
    run_id: str


@dataclass(frozen=True)
class RunPage:
    """Runs newest first (submitted_at, then run_id, both descending), where the next page begins, and how many match in all."""

    runs: tuple[Run, ...]
    next_cursor: RunCursor | None
    total: int


@dataclass(frozen=True)
class StoredRun:
    """A run as retention sees it. `is_marked`: its outputs are given up, though some of its rows may still be there."""

    run_id: str
    status: RunStatus
    submitted_at: dt.datetime
    replay_of: str
    is_marked: bool


class RunRepository(Protocol):
    """The rows of `pfill_run_history`, and with each change its events. A run of another tenant does not exist here."""

    async def insert(self, run: Run, accepted: Accepted) -> RunEvent:
        """Record a new run with its first event, in one transaction. Raises RunConflictError and then writes nothing."""

    async def change(self, ref: RunRef, decide: Decide) -> Changed | None:
        """Read the run, decide, and write the row and its events, in one transaction that excludes other changes of the run.

        Events get the sequences after the run's last one, without gaps, and the attempt of the changed run. `decide` may be
        called more than once and may raise; then, and when it returns None, nothing is written. Raises RUN_NOT_FOUND.
        """

    async def take_back(self, ref: RunRef) -> bool:
        """Remove a PENDING run and its events as if it had never been. False if it is no longer PENDING."""

    async def get(self, ref: RunRef) -> Run:
        """The run as it stands. Raises RUN_NOT_FOUND."""

    async def find_active(self, tenant_id: str) -> Run | None:
        """The tenant's active run."""

    async def find_latest_complete(self, tenant_id: str) -> Run | None:
        """The tenant's current run: the complete one submitted last (then of the greatest run_id), replays apart."""

    async def find_by_request(self, tenant_id: str, request_id: str) -> Run | None:
        """The run that was submitted with this key."""

    async def find_free(self, tenant_id: str, now: dt.datetime) -> list[Run]:
        """The active runs that nobody holds at `now` (`domain.life.is_free`)."""

    async def renew(self, tenant_id: str, run_ids: Collection[str], lease: Lease) -> Mapping[str, bool]:
        """Extend the lease of these runs where its owner still holds them and they are active.

        Gives those that were extended, with whether their cancel was requested.
        """

    async def page(self, tenant_id: str, selection: RunSelection, page_size: int, after: RunCursor | None) -> RunPage:
        """A page of the tenant's runs. A cursor stays valid while runs are added."""

    async def stored(self, tenant_id: str) -> list[StoredRun]:
        """The tenant's runs of which anything is stored, and its active run. Costs what is stored, however long the history."""

    async def mark_removed(self, ref: RunRef) -> bool:
        """Give the outputs and inputs of a run up, for good: from now on readers are told RUN_EXPIRED. Safe to repeat.

        False, and nothing is written, for a run that is active or that an active run replays.
        """


class EventLog(Protocol):
    """The rows of `pfill_run_event`; `RunRepository.change` writes them."""

    async def read(self, ref: RunRef, after_sequence: int, limit: int) -> list[RunEvent]:
        """At most `limit` events with a greater sequence, in order."""


@dataclass(frozen=True)
class PackedInputs:
    """The stored inputs of a run, compressed: the content of every table of INPUT_TABLES."""

    contents: Mapping[str, bytes]


class InputStore(Protocol):
    """The inputs of runs, as the worker stored them in `pfill_run_input`. Those of a run that is marked count as not stored."""

    async def packed(self, ref: RunRef) -> PackedInputs:
        """The same as `load`, still compressed, for `Answers.compute`. Raises RUN_EXPIRED where none are stored."""

    async def digests(self, ref: RunRef) -> Mapping[str, str]:
        """The digest of each stored table: tables with one digest are equal. Raises RUN_EXPIRED where none are stored."""

    async def load(self, ref: RunRef) -> RunInputs:
        """What the engine was given, equal in every value and in the order of rows. Raises RUN_EXPIRED where none are stored."""

    async def remove(self, ref: RunRef) -> None:
        """Delete what is stored, a table in a transaction; safe to repeat."""


@dataclass(frozen=True)
class DecidedLoan:
    """The output row of one in-scope loan: of `pfill_powerfill_guide` if it was allocated, else of `pfill_kickout_guide_01`."""

    is_allocated: bool
    row: Mapping[str, Any]
    """By column of that table, without run_id."""


class Decisions(Protocol):
    """What complete runs decided, as their output tables have it.

    Every method raises RUN_NOT_FOUND, and RUN_EXPIRED once retention has begun to remove the run's outputs: it marks the run
    first. A run that is not complete has no rows.
    """

    async def loan(self, ref: RunRef, loan_id: str) -> DecidedLoan | None:
        """What became of a loan; None for one that was not in the run's scope."""

    async def trades(self, ref: RunRef) -> pl.DataFrame:
        """The rows of `pfill_trade_base` without run_id, by trade_id."""

    async def allocation(self, ref: RunRef, trade_ids: Collection[str] | None = None) -> pl.DataFrame:
        """Rows of `pfill_powerfill_guide`, by loan_id: all of them, or those of loans on some trades.

        Columns: loan_id, trade_id, loan_amount, price, score, fallback, value, locked, constraint_id, priority, current_pool.
        """

    async def kickouts(self, ref: RunRef) -> pl.DataFrame:
        """The rows of `pfill_kickout_guide_01`, by loan_id.

        Columns: loan_id, loan_amount, reason, reason_detail, best_trade_id, best_score, opportunity_cost, syn_trade_id,
        syn_score.
        """


class OutputStore(Protocol):
    """The rows of the output tables."""

    async def remove(self, ref: RunRef, keep: Collection[str] = (), budget_s: float | None = None) -> bool:
        """Delete the run's rows of all tables but `keep`, in short transactions, those of the log last; safe to repeat.

        False if `budget_s` seconds had passed before the last table.
        """

    async def remove_leftovers(self, tenant_id: str) -> None:
        """Delete what runs that failed or were cancelled should not have left: rows of all tables but DIAGNOSTIC_TABLES."""


class Answers(Protocol):
    """The engine in processes of its own, for questions that need it but no run."""

    async def compute(self, question: Callable[..., Answer], inputs: Sequence[PackedInputs], *facts: object) -> Answer:
        """`question(*inputs, *facts)`, each of the `inputs` unpacked to RunInputs. Raises what the question raises.

        Question, facts and answer are sent between processes: the question is a function of a module. Being cancelled leaves
        the question to its end and nobody waits for it.
        """


class QueueFullError(Exception):
    """No more runs can wait."""


class Subscription(Protocol):
    """The live events of one run for one reader, in a bounded buffer."""

    async def get(self) -> Sequence[RunEvent] | None:
        """Wait for events and take all there are, in the order they were published.

        None: the buffer overflowed and was emptied; read the log. Being cancelled loses nothing.
        """


class RunBus(Protocol):
    """How requests, workers and watchers hear of each other. The database decides, the bus only tells."""

    async def put(self, ref: RunRef, timeout_s: float) -> None:
        """Queue a run; no effect if it waits already. Raises QueueFullError if there is no room for `timeout_s` seconds."""

    async def take(self) -> RunRef:
        """Wait for the run that was queued first; each goes to one taker. Being cancelled loses nothing."""

    async def withdraw(self, ref: RunRef) -> None:
        """Forget a run that waits; no effect if it does not."""

    async def publish(self, ref: RunRef, events: Sequence[RunEvent]) -> None:
        """Tell the run's subscribers. Never waits for them."""

    def subscribe(self, ref: RunRef) -> AbstractContextManager[Subscription]:
        """Hear every event published from now until the context ends."""

    async def signal_cancel(self, ref: RunRef) -> None:
        """Tell whoever listens that the run's cancel was requested; lost if nobody does (the row has it)."""

    def on_cancel(self, ref: RunRef, listener: Callable[[], None]) -> AbstractContextManager[None]:
        """Call `listener` at each such signal until the context ends."""


@dataclass(frozen=True)
class Job:
    """What a worker is to do. It works under the lease of `owner`, as the attempt given; nothing is written under another.

    `replay_of` is the run whose stored inputs it works on; empty: it reads the tenant's tables.
    """

    ref: RunRef
    attempt: int
    owner: str
    options: RunOptions
    replay_of: str = ""


@dataclass(frozen=True)
class Happened:
    """An event of the engine, and when (nanoseconds since 1970, UTC)."""

    kind: EventKind
    at_ns: int


@dataclass(frozen=True)
class InputsRead:
    """The tenant's tables are read and stored; rows by table."""

    row_counts: Mapping[str, int]


@dataclass(frozen=True)
class TableWritten:
    """An output table is written whole."""

    name: str


Message = Happened | InputsRead | TableWritten | Outcome


class Worker(Protocol):
    """A place for one job at a time, with a process of its own."""

    async def start(self, job: Job) -> None:
        """Hand it a job, to a new process if the last one died or was ended. The job before must have had its Outcome."""

    async def messages(self) -> Sequence[Message]:
        """Wait for the job's messages and take all there are. The last of a job is its Outcome: Died if the process ended."""

    def ask_to_stop(self) -> None:
        """Raise the flag that the engine looks at; no effect on a worker that is done."""

    def kill(self) -> None:
        """End the process now; no effect on a worker that is done."""


class WorkerPool(Protocol):
    """The workers."""

    async def acquire(self) -> Worker:
        """Wait for a free worker. Being cancelled loses none."""

    def release(self, worker: Worker) -> None:
        """Give it back. A job that has not had its Outcome is ended with its process; the process is replaced."""
