"""Filters as trees: the text in AIP-160 syntax, parsed with positions, limited in size, and what it refuses by name.

Of AIP-160 there is everything but bare values (a comparison names its column), functions, traversal by dots and groups as
values. Nothing here knows columns or types; `compile` checks those.
"""

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedInput, UnexpectedToken, v_args

MAX_LENGTH = 4096
"""Characters of a filter."""
MAX_COMPARISONS = 200
"""Keeps a statement under the 2,100 parameters of SQL Server and the expression depth of 1,000 of SQLite."""
MAX_DEPTH = 20
"""Levels of AND, OR and NOT in each other; parentheses alone are none."""

COMPARATORS = ("=", "!=", "<", "<=", ">", ">=", ":")
EXAMPLE = 'investor = "FNMA" AND loan_amount > 250000'

_UNSENDABLE = re.compile("[\x00\ud800-\udfff]")
"""What no database takes in a text."""
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_TYPOGRAPHIC_QUOTES = "\u201c\u201d\u2018\u2019"
_ESCAPABLE = "\"'\\*"


class FilterError(ValueError):
    """A filter that cannot be understood: `position` is the character (from 0) it is about, `message` says what is possible."""

    def __init__(self, position: int, message: str) -> None:
        super().__init__(f"character {position}: {message}")
        self.position = position
        self.message = message


@dataclass(frozen=True)
class Star:
    """A wildcard: where it is in its value's text, and in the filter."""

    index: int
    position: int


@dataclass(frozen=True)
class Value:
    """What a column is compared with: its text without quotes and escapes, and the `*` in it that no backslash precedes."""

    position: int
    text: str
    is_quoted: bool
    stars: tuple[Star, ...] = ()

    @property
    def is_star(self) -> bool:
        """Whether the value is a wildcard and nothing else."""
        return self.text == "*" and len(self.stars) == 1


@dataclass(frozen=True)
class Comparison:
    """A column against a value; `position` is the column's."""

    position: int
    column: str
    comparator: str
    comparator_position: int
    value: Value


@dataclass(frozen=True)
class AllOf:
    """True where every part is."""

    position: int
    parts: "tuple[Node, ...]"


@dataclass(frozen=True)
class AnyOf:
    """True where some part is."""

    position: int
    parts: "tuple[Node, ...]"


@dataclass(frozen=True)
class Negation:
    """True where its part is not; `position` is that of NOT or `-`."""

    position: int
    part: "Node"


Node = Comparison | AllOf | AnyOf | Negation


def parse(text: str) -> Node | None:
    """The tree of a filter; None for a blank one. Raises FilterError."""
    if len(text) > MAX_LENGTH:
        raise FilterError(MAX_LENGTH, f"a filter has at most {MAX_LENGTH} characters, this one has {len(text)}")
    unsendable = _UNSENDABLE.search(text)
    if unsendable:
        raise FilterError(unsendable.start(), f"the character U+{ord(unsendable[0]):04X} cannot stand in a filter")
    try:
        tree = cast(Node | None, _grammar().parse(text))  # what the callbacks of `_Nodes` make
    except UnexpectedInput as error:
        raise _syntax_error(text, error) from None
    if tree is not None:
        _check_size(tree)
    return tree


def shown(text: str) -> str:
    """A piece of a filter as a message repeats it: its beginning, quoted."""
    return f"{text[:40]}..." if len(text) > 40 else text


@functools.cache
def _grammar() -> Lark:
    return Lark.open("grammar.lark", rel_to=__file__, start="filter", parser="lalr", transformer=_Nodes())


@v_args(inline=True)
class _Nodes(Transformer[Token, Node | None]):
    """Makes the nodes while the text is parsed, so that no tree is walked however deep it is."""

    def filter(self, node: Node | None = None) -> Node | None:
        return node

    def expression(self, *sequences: tuple[Node, ...]) -> Node:
        parts = tuple(part for sequence in sequences for part in sequence)
        return parts[0] if len(parts) == 1 else AllOf(parts[0].position, parts)

    def sequence(self, *factors: Node) -> tuple[Node, ...]:
        return factors

    def factor(self, *terms: Node) -> Node:
        return terms[0] if len(terms) == 1 else AnyOf(terms[0].position, terms)

    def negation(self, word: Token, part: Node) -> Node:
        return Negation(_position(word), part)

    def comparison(self, column: Token, comparator: Token, value: Token) -> Node:
        if column.type == "STRING":
            raise FilterError(
                _position(column), f"{shown(column)} is quoted; left of {comparator} stands a column, without quotes"
            )
        if value.type == "CALL":
            raise _call(value)
        name = _column(column)
        return Comparison(_position(column), name, str(comparator), _position(comparator), _value(value))

    def bare(self, word: Token) -> Node:
        if word.type == "CALL":
            raise _call(word)
        if word.type == "NAME":
            _column(word)
        raise FilterError(
            _position(word),
            f"{shown(word)} stands alone; a comparison is a column, one of {' '.join(COMPARATORS)} and a value, as in {EXAMPLE}",
        )


def _position(token: Token) -> int:
    return token.start_pos or 0


def _call(token: Token) -> FilterError:
    return FilterError(
        _position(token), f"{shown(token)}: there are no functions; a comparison is a column, a comparator and a value"
    )


def _column(token: Token) -> str:
    if "." in token:
        raise FilterError(_position(token) + token.index("."), f"{shown(token)}: columns have no parts, a dot leads nowhere")
    return str(token)


def _value(token: Token) -> Value:
    position = _position(token)
    if token.type != "STRING":
        return Value(position, str(token), is_quoted=False, stars=_stars(token, position))
    body, start = token[1:-1], position + 1
    pieces: list[str] = []
    stars: list[Star] = []
    length = end = 0
    for escape in _ESCAPE.finditer(body):
        if escape[1] not in _ESCAPABLE:
            message = f"{escape[0]} is no escape; a backslash stands before \" ' * or \\, and \\\\ is a backslash"
            raise FilterError(start + escape.start(), message)
        plain = body[end : escape.start()]
        stars += _stars(plain, start + end, length)
        pieces += (plain, escape[1])
        length += len(plain) + 1
        end = escape.end()
    stars += _stars(body[end:], start + end, length)
    return Value(position, "".join([*pieces, body[end:]]), is_quoted=True, stars=tuple(stars))


def _stars(plain: str, position: int, index: int = 0) -> tuple[Star, ...]:
    """The `*` of a piece without escapes, which begins at `position` of the filter and at `index` of the value's text."""
    return tuple(Star(index + k, position + k) for k, character in enumerate(plain) if character == "*")


def _check_size(tree: Node) -> None:
    comparisons = 0
    waiting: list[tuple[Node, int]] = [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise FilterError(node.position, f"AND, OR and NOT stand in each other deeper than {MAX_DEPTH} levels here")
        if isinstance(node, Comparison):
            comparisons += 1
            if comparisons > MAX_COMPARISONS:
                raise FilterError(node.position, f"a filter has at most {MAX_COMPARISONS} comparisons, here begins another")
        else:
            parts = (node.part,) if isinstance(node, Negation) else node.parts
            waiting += [(part, depth + 1) for part in reversed(parts)]


def _syntax_error(text: str, error: UnexpectedInput) -> FilterError:
    """What the parser did not expect, in words, at its place."""
    expected: Iterable[str] = ()
    if isinstance(error, UnexpectedToken):
        expected = error.expected
    elif isinstance(error, UnexpectedCharacters):
        expected = error.allowed or ()
    is_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    position = len(text) if is_end else error.pos_in_stream or 0
    return FilterError(position, _wanted(text[position:], frozenset(expected)))


def _wanted(rest: str, expected: frozenset[str]) -> str:
    """What the parser wants instead of the rest of the filter. A quote it does not expect is one that is not closed."""
    needs_value, needs_term = "VALUE" in expected, "NAME" in expected and "AND" not in expected
    found = shown(rest.split(maxsplit=1)[0]) if rest.strip() else ""
    if not found:
        if needs_value:
            return "the filter ends where a value is expected"
        return "the filter ends where a comparison is expected" if needs_term else "the filter ends before a ( is closed by )"
    if found[0] in "\"'":
        return f"the quote {found[0]} is not closed"
    if found[0] in _TYPOGRAPHIC_QUOTES:
        return f"quotes are \" or ', not {found[0]}"
    if needs_value and found[0] == "(":
        return "a group is no value; write the column for each, as in (state = NY OR state = CA)"
    if needs_value:
        return f"a value is expected, not {found}; text with spaces, commas or any of ( ) = < > ! stands in quotes"
    if needs_term:
        return f"a comparison is expected, not {found}; it is a column, a comparator and a value, as in {EXAMPLE}"
    if "COMPARATOR" in expected:
        return f"after a column stands one of {' '.join(COMPARATORS)}, not {found}"
    return "no ( belongs to this )" if found[0] == ")" else f"comparisons are joined by AND, OR or a space, not by {found}"
