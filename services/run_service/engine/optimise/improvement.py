"""The improvement phase: searches side by side, their progress told, and the criteria that end it.

1. A search begins at each first allocation, on a core of its own.
2. In rounds each looks at a fixed number of things; so what they find depends on the seed and never on the clock or on cores.
3. Now and then the search that is behind goes on from the other's allocation.
4. It ends when the bound is reached or nothing has improved for long (CONVERGED), after a fixed amount of work (WORK_LIMIT), by
   the clock (TIME_LIMIT), or by a cancel.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

from services.run_service.engine.optimise.bands import FloatArray, bands_of
from services.run_service.engine.optimise.local_search import Searcher
from services.run_service.engine.optimise.places import keep_places
from services.run_service.engine.optimise.problem import AllocationProblem
from services.run_service.engine.stop import Stop
from shared.money import Int64Array

_ROUND_WORK = 8_000_000
"""Things a search looks at in a round at most: about a tenth of a second."""
_TELL_S = 0.3
"""Seconds after which a long round is told about before it ends."""
_ROUNDS_OF_PATIENCE = 8
_MEETING = 16
"""Rounds between two comparisons of the searches."""
_SOLVING = 2
"""Rounds between two small programs of each search."""
_PATIENCE, _PATIENCE_A_TRADE = 200, 20
"""Iterations without a gain worth mentioning after which the phase has converged: so many, and so many more for each trade."""
_WORTH_MENTIONING = 2e-6
"""Share of the bound's gain."""
_REACHED = 1e-7
"""Share of the bound's gain under which the gap counts as closed."""


@dataclass(frozen=True)
class SearchResult:
    """Where the search ended, why, and how many things it looked at."""

    taken: Int64Array
    """The candidate each loan takes (-1: none)."""
    ended_by: str
    work_done: int


def improve(
    problem: AllocationProblem,
    starts: Sequence[Int64Array],
    room_price: FloatArray,
    bound_gain: float,
    *,
    seed: int,
    work_limit: int,
    stop: Stop,
    on_progress: Callable[[Int64Array], None],
) -> SearchResult:
    """Improve the allocations `starts` (the candidate of each loan, -1: none); `on_progress` sees the best after each round.

    `room_price` (dollars a dollar) and `bound_gain` (dollars over leaving every loan out) are the bound's.
    """
    bands = bands_of(problem, room_price)
    places = keep_places(problem, starts, room_price, stop)
    searches = [Searcher(problem, places, bands, taken, seed=2 * seed + number) for number, taken in enumerate(starts)]
    patience = _PATIENCE + _PATIENCE_A_TRADE * problem.trade_count
    iterations = patience // _ROUNDS_OF_PATIENCE
    work = rounds = quiet = 0
    reference = max(search.gain for search in searches)
    with ThreadPoolExecutor(len(searches), thread_name_prefix="search") as pool:

        def side_by_side(work_of: Callable[[Searcher], tuple[int, int]]) -> tuple[int, int]:
            """Let every search work; things looked at and iterations made by all, told about meanwhile."""
            known = max(searches, key=lambda search: search.gain).taken
            futures = [pool.submit(work_of, search) for search in searches]
            while wait(futures, _TELL_S).not_done:
                on_progress(known)
            done = [future.result() for future in futures]
            stop.checkpoint()
            return sum(looked for looked, _ in done), sum(made for _, made in done)

        while True:
            best = max(searches, key=lambda search: search.gain)
            on_progress(best.taken)
            if best.gain > reference + _WORTH_MENTIONING * bound_gain:
                reference, quiet = best.gain, 0
            ended_by = "CONVERGED" if _closed(best, bound_gain) else _ended(patience - quiet, work_limit - work, stop)
            if ended_by:
                return SearchResult(best.taken, ended_by, work)
            looked, made = side_by_side(lambda search: search.advance(_ROUND_WORK, iterations))
            work, quiet, rounds = work + looked, quiet + made, rounds + 1
            if rounds % _SOLVING == 0 and work < work_limit:
                before = SearchResult(max(searches, key=lambda search: search.gain).taken, "TIME_LIMIT", work)
                work += side_by_side(lambda search: (search.solve_stubborn(stop), 0))[0]
                if stop.time_is_up():  # a program that the clock cut short cannot be repeated: end where it began
                    return before
            if rounds % _MEETING == 0:
                _meet(searches)


def _meet(searches: Sequence[Searcher]) -> None:
    """Searches that iterate already and are behind go on from the best allocation."""
    best = max(searches, key=lambda search: search.gain)
    for search in searches:
        if search.gain < best.gain and not search.descending:
            search.adopt(best.taken)


def _closed(search: Searcher, bound_gain: float) -> bool:
    """Whether a search reached the bound."""
    return not search.descending and bound_gain - search.gain <= max(_REACHED * bound_gain, 0.01)


def _ended(patience: int, work: int, stop: Stop) -> str | None:
    """Why the phase ends with this much patience and work left, or None."""
    if patience <= 0:
        return "CONVERGED"
    if work <= 0:
        return "WORK_LIMIT"
    return "TIME_LIMIT" if stop.time_is_up() else None
