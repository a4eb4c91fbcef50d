"""Filters by Hypothesis over the columns of `report_rows`: as trees, as text, and as text with something wrong."""

import datetime as dt
import re
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from services.report_service.reports.filter.parse import AllOf, AnyOf, Comparison, Negation, Node, Star, Value
from tests.property import report_rows
from tests.property.report_rows import AMOUNTS, DAYS, ELEMENTS, MOMENTS, RANKS, TEXTS

EQUALITY = ("=", "!=")
ORDER = (*EQUALITY, "<", "<=", ">", ">=")
BARE = re.compile(r"(?!(?:AND|OR|NOT|null|NULL)$)[^\s\"'\u201c\u201d\u2018\u2019()=<>!,*\\]+")


def value(text: str, star_indexes: tuple[int, ...] = ()) -> Value:
    return Value(0, text, True, tuple(Star(index, 0) for index in star_indexes))


@st.composite
def wildcards(draw: st.DrawFn) -> Value:
    """A text with a `*` before it, after it, or both."""
    text, where = draw(TEXTS), draw(st.sampled_from(["start", "end", "both"]))
    if where == "start":
        return value(f"*{text}", (0,))
    return value(f"{text}*", (len(text),)) if where == "end" else value(f"*{text}*", (0, len(text) + 1))


@st.composite
def numbers(draw: st.DrawFn, near: st.SearchStrategy[Any]) -> Value:
    """A number beside those of the column or far from all, of any form."""
    number = Decimal(draw(near)) + draw(
        st.sampled_from([Decimal(0), *(Decimal(f"{sign}1E-{places}") for places in (2, 3, 9) for sign in "+-")])
    )
    far = draw(st.sampled_from([""] * 9 + ["9" * 40, "-" + "9" * 40, "1e99", "-1e99", "1e-99"]))
    form = draw(st.sampled_from(["f", "E", "+f"]))
    return value(far or format(number, form))


@st.composite
def moments(draw: st.DrawFn) -> Value:
    """A moment beside those of the column, in any zone and of any precision."""
    moment, minutes = draw(MOMENTS), draw(st.sampled_from([0, 0, -240, 330]))
    zone = dt.timezone(dt.timedelta(minutes=minutes))
    local = moment if moment.year in (1, 9999) else moment.astimezone(zone)
    text = local.isoformat(timespec="microseconds")
    more = draw(st.sampled_from(["", "0", "001", "9999"]))
    return value(f"{text[:-6]}{more}{draw(st.sampled_from(['Z', 'z'])) if text.endswith('+00:00') else text[-6:]}")


@st.composite
def comparisons(draw: st.DrawFn) -> Node:
    """A comparison of any column by any comparator it has."""
    column = draw(st.sampled_from(list(report_rows.COLUMNS)))
    if draw(st.integers(0, 9)) == 0:
        return Comparison(0, column, ":", 0, value("*", (0,)))
    comparator, right = draw(_KINDS.get(column, _TEXT))
    return Comparison(0, column, comparator, 0, right)


def pairs(comparators: tuple[str, ...], right: st.SearchStrategy[Value]) -> st.SearchStrategy[tuple[str, Value]]:
    return st.tuples(st.sampled_from(comparators), right)


_TEXT = pairs((*ORDER, ":"), TEXTS.map(value)) | pairs(EQUALITY, wildcards())
_KINDS = {
    "amount": pairs(ORDER, numbers(AMOUNTS)),
    "total": pairs(ORDER, numbers(report_rows.TOTALS)),
    "rate": pairs(ORDER, numbers(AMOUNTS)),
    "rank": pairs(ORDER, numbers(RANKS)),
    "day": pairs((*ORDER, ":"), DAYS.map(lambda day: value(day.isoformat()))),
    "moment": pairs(ORDER, moments()),
    "locked": pairs((*EQUALITY, ":"), st.sampled_from(["true", "false"]).map(value)),
    "examples": pairs((":",), ELEMENTS.map(value)),
}

TREES: st.SearchStrategy[Node] = st.recursive(
    comparisons(),
    lambda parts: (
        parts.map(lambda part: Negation(0, part))
        | st.lists(parts, min_size=2, max_size=3).map(lambda some: AllOf(0, tuple(some)))
        | st.lists(parts, min_size=2, max_size=3).map(lambda some: AnyOf(0, tuple(some)))
    ),
    max_leaves=6,
)
"""Trees as the parser makes them, but for positions, which are 0, and quotes, which every value has."""

_TOKENS = [
    *["AND", "OR", "NOT", "-", "(", ")", "=", "!=", "<", "<=", ":", "*", '"', "'", "\\", ".", ",", " ", "\x00", "\ud800", "“"],
    *["name", "amount", "examples", "1", "1e5", "null", "true", "a", "é", "2026-04-17", '"a*"', "name=a", "rank>1"],
]
NOISE = st.lists(st.sampled_from(_TOKENS), max_size=12).map("".join) | st.text(max_size=20)


@st.composite
def written(draw: st.DrawFn, tree: Node) -> str:
    """A tree as text, in any of its spellings."""
    match tree:
        case Comparison():
            gap = draw(st.sampled_from(["", " "]))
            return f"{tree.column}{gap}{tree.comparator}{gap}{draw(written_value(tree.value))}"
        case Negation(_, part):
            return draw(st.sampled_from(["NOT ", "-"])) + draw(written_part(part, (AllOf, AnyOf, Negation)))
        case AnyOf(_, parts):
            return " OR ".join([draw(written_part(part, (AllOf, AnyOf))) for part in parts])
        case AllOf(_, parts):
            texts = [draw(written_part(part, (AllOf,))) for part in parts]
            return texts[0] + "".join(draw(st.sampled_from([" ", " AND ", "\n"])) + text for text in texts[1:])


@st.composite
def written_part(draw: st.DrawFn, part: Node, in_parentheses: tuple[type, ...]) -> str:
    text: str = draw(written(part))
    return f"({text})" if isinstance(part, in_parentheses) or draw(st.integers(0, 5)) == 0 else text


@st.composite
def written_value(draw: st.DrawFn, right: Value) -> str:
    """Bare where that can be, else in quotes of either kind."""
    stars = {star.index for star in right.stars}
    plain = "".join(character for k, character in enumerate(right.text) if k not in stars)
    can_be_bare = BARE.fullmatch(plain) is not None if plain else bool(stars)
    if can_be_bare and draw(st.booleans()):
        return right.text
    quote = draw(st.sampled_from("\"'"))
    escaped = {quote, "\\", "*"}
    return quote + "".join(f"\\{c}" if c in escaped and k not in stars else c for k, c in enumerate(right.text)) + quote


@st.composite
def mangled(draw: st.DrawFn, text: str) -> str:
    """A text with pieces taken out, doubled or put in."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 3)))
        text = text[:start] + draw(st.sampled_from(["", text[start:end] * 2, *_TOKENS])) + text[end:]
    return text
