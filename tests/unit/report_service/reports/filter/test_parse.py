"""The grammar of filters: what binds how, what a value is, and where an error is."""

import contextlib

import pytest

from services.report_service.reports.filter import parse as parsing
from services.report_service.reports.filter.parse import (
    AllOf,
    AnyOf,
    Comparison,
    FilterError,
    Negation,
    Node,
    Star,
    parse,
)


def shape(node: Node | None) -> str:
    """The tree as text: every level in brackets, AND as &, OR as |, negation as !."""
    match node:
        case AllOf(_, parts):
            return f"[{' & '.join(map(shape, parts))}]"
        case AnyOf(_, parts):
            return f"[{' | '.join(map(shape, parts))}]"
        case Negation(_, part):
            return f"!{shape(part)}"
        case Comparison():
            return f"{node.column}{node.comparator}{node.value.text}"
        case _:
            return ""


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", ""),
        (" \n\t", ""),
        ("a=1", "a=1"),
        ("a=1 AND b=2", "[a=1 & b=2]"),
        ("a=1 OR b=2", "[a=1 | b=2]"),
        ("a=1 AND b=2 OR c=3", "[a=1 & [b=2 | c=3]]"),
        ("a=1 OR b=2 AND c=3", "[[a=1 | b=2] & c=3]"),
        ("(a=1 AND b=2) OR c=3", "[[a=1 & b=2] | c=3]"),
        ("a=1 b=2", "[a=1 & b=2]"),
        ("a=1 b=2 OR c=3", "[a=1 & [b=2 | c=3]]"),
        ("a=1 b=2 AND c=3 d=4", "[a=1 & b=2 & c=3 & d=4]"),
        ("NOT a=1 OR b=2", "[!a=1 | b=2]"),
        ("NOT (a=1 OR b=2)", "![a=1 | b=2]"),
        ("NOT(a=1)", "!a=1"),
        ("-a=1 -b=2", "[!a=1 & !b=2]"),
        ("a=1 -(b=2 c=3)", "[a=1 & ![b=2 & c=3]]"),
        ("a=-1", "a=-1"),
        ("a = -1 -b = -2", "[a=-1 & !b=-2]"),
        ("((((a=1))))", "a=1"),
        ("a=1 AND (b=2 AND c=3)", "[a=1 & [b=2 & c=3]]"),
        ("ANDROID=1 NOTE=ORDER ORDER=AND1", "[ANDROID=1 & NOTE=ORDER & ORDER=AND1]"),
        ("and=or", "and=or"),
        ("a>=1 b<=2 c!=3 d<4 e>5 f:6", "[a>=1 & b<=2 & c!=3 & d<4 & e>5 & f:6]"),
        ("a : *", "a:*"),
        ("a\u00a0=\u00a01", "a=1"),
        ("a=2026-04-17T08:30:00.5-04:00", "a=2026-04-17T08:30:00.5-04:00"),
        ("a=NYAND", "a=NYAND"),
        ("(a=NY)AND(b=1)", "[a=NY & b=1]"),
        ("a='x'AND b=\"y\"OR c='z'", "[a=x & [b=y | c=z]]"),
    ],
)
def test_or_binds_tighter_than_and_and_terms_beside_each_other_are_joined_by_and(text: str, tree: str) -> None:
    assert shape(parse(text)) == tree


def value(text: str) -> parsing.Value:
    node = parse(f"name={text}")
    assert isinstance(node, Comparison)
    return node.value


@pytest.mark.parametrize(
    ("written", "text", "stars"),
    [
        ("abc", "abc", ()),
        ("a\\b", "a\\b", ()),
        ('"abc def"', "abc def", ()),
        ("'abc'", "abc", ()),
        ("""'say "x"'""", 'say "x"', ()),
        (r'"say \"x\""', 'say "x"', ()),
        (r"'it\'s'", "it's", ()),
        (r'"a\\b"', r"a\b", ()),
        ('""', "", ()),
        ('"two\nlines"', "two\nlines", ()),
        ("ab*", "ab*", (Star(2, 7),)),
        ('"*ab*"', "*ab*", (Star(0, 6), Star(3, 9))),
        (r'"\*ab*"', "*ab*", (Star(3, 10),)),
        (r'"\\*"', "\\*", (Star(1, 8),)),
        (r'"5\*"', "5*", ()),
    ],
)
def test_a_value_is_bare_or_in_quotes_of_either_kind_and_knows_its_wildcards(
    written: str, text: str, stars: tuple[Star, ...]
) -> None:
    found = value(written)
    assert (found.text, found.stars, found.position) == (text, stars, 5)
    assert found.is_quoted == (written[0] in "\"'")


def test_every_part_knows_where_it_is() -> None:
    node = parse(' -(a = 1 OR bb\t!= "x") c:2')
    assert isinstance(node, AllOf)
    negation, c = node.parts
    assert isinstance(negation, Negation)
    assert isinstance(negation.part, AnyOf)
    b = negation.part.parts[1]
    assert isinstance(b, Comparison)
    assert isinstance(c, Comparison)
    assert (node.position, negation.position, negation.part.position) == (1, 1, 3)
    assert (b.position, b.comparator_position, b.value.position) == (12, 15, 18)
    assert (c.position, c.comparator_position, c.value.position) == (23, 24, 25)


@pytest.mark.parametrize(
    ("text", "position", "told"),
    [
        ("FNMA", 0, "FNMA stands alone"),
        ("a=1 FNMA", 4, "FNMA stands alone"),
        ("locked AND a=1", 0, "locked stands alone"),
        ("a=1 AND 'New York'", 8, "'New York' stands alone"),
        ("a=New York", 6, "York stands alone"),
        ("a (b=1)", 0, "a stands alone"),
        ("-5", 1, "5 stands alone"),
        ("regex(a, 'x')", 0, "there are no functions"),
        ("a = now()", 4, "there are no functions"),
        ("a=1 b.c=2", 5, "b.c: columns have no parts"),
        ("a.b", 1, "columns have no parts"),
        ("'a'=1", 0, "'a' is quoted"),
        ("a=", 2, "the filter ends where a value is expected"),
        ("a=  ", 4, "the filter ends where a value is expected"),
        ("a=1 AND", 7, "the filter ends where a comparison is expected"),
        ("NOT", 3, "the filter ends where a comparison is expected"),
        ("(", 1, "the filter ends where a comparison is expected"),
        ("(a=1", 4, "the filter ends before a ( is closed"),
        ("a=1)", 3, "no ( belongs to this )"),
        ("()", 1, "a comparison is expected, not )"),
        (")", 0, "a comparison is expected, not )"),
        ("AND a=1", 0, "a comparison is expected, not AND"),
        ("a=1 AND AND b=2", 8, "a comparison is expected, not AND"),
        ("a=1 OR OR b=2", 7, "a comparison is expected, not OR"),
        ("NOT NOT a=1", 4, "a comparison is expected, not NOT"),
        ("--a=1", 1, "a comparison is expected, not -a=1"),
        ("= 1", 0, "a comparison is expected, not ="),
        ("a=1 = 2", 4, "joined by AND, OR or a space, not by ="),
        ("a == 1", 3, "a value is expected, not ="),
        ("a => 1", 3, "a value is expected, not >"),
        ("a <> 1", 3, "a value is expected, not >"),
        ("a=AND", 2, "a value is expected, not AND"),
        ("a = (1 OR 2)", 4, "a group is no value"),
        ("a = , ", 4, "a value is expected, not ,"),
        ("a ! 1", 2, "after a column stands one of"),
        ("a, b", 1, "after a column stands one of"),
        ("a=1,000", 3, "joined by AND, OR or a space, not by ,000"),
        ("a=1, b=2", 3, "joined by AND, OR or a space, not by ,"),
        ('a="x', 2, 'the quote " is not closed'),
        ("a=1 'x", 4, "the quote ' is not closed"),
        ("a=O'Brien", 3, "the quote ' is not closed"),
        ('a="x\\"', 2, 'the quote " is not closed'),
        ("a=“x”", 2, "quotes are \" or ', not “"),
        ('a="x\\n"', 4, "\\n is no escape"),
        ("a=1\x00", 3, "U+0000 cannot stand in a filter"),
        ('a="\ud800"', 3, "U+D800 cannot stand in a filter"),
    ],
)
def test_an_error_is_where_it_is_and_says_what_is_possible(text: str, position: int, told: str) -> None:
    with pytest.raises(FilterError) as error:
        parse(text)
    assert told in error.value.message
    assert (error.value.position, str(error.value)) == (position, f"character {position}: {error.value.message}")


def test_a_message_repeats_only_the_beginning_of_what_is_long() -> None:
    with pytest.raises(FilterError) as error:
        parse("x" * 4000)
    assert len(error.value.message) < 300


def test_a_filter_has_a_greatest_length() -> None:
    comparison = "a=1"
    parse(comparison.ljust(parsing.MAX_LENGTH))
    with pytest.raises(FilterError) as error:
        parse(comparison.ljust(parsing.MAX_LENGTH + 1))
    assert error.value.position == parsing.MAX_LENGTH


def test_a_filter_has_a_greatest_number_of_comparisons() -> None:
    most = parsing.MAX_COMPARISONS
    assert isinstance(parse("a=1 OR " * (most - 1) + "a=1"), AnyOf)
    with pytest.raises(FilterError) as error:
        parse("a=1 OR " * most + "a=1")
    assert error.value.position == len("a=1 OR ") * most


def test_a_filter_has_a_greatest_depth() -> None:
    assert shape(parse("NOT (" * 19 + "a=1" + ")" * 19)) == "!" * 19 + "a=1"
    with pytest.raises(FilterError) as error:
        parse("NOT (" * 20 + "a=1" + ")" * 20)
    assert error.value.position == len("NOT (") * 20
    with pytest.raises(FilterError, match="deeper than 20 levels"):
        parse("-(" * 1000 + "a=1" + ")" * 1000)


@pytest.mark.parametrize(
    "text", ["(" * 4096, ")" * 4096, "-" * 4096, "-(" * 2048, "NOT " * 1024, "(" * 2046 + "a=1" + ")" * 2046]
)
def test_no_depth_is_too_much_for_the_parser(text: str) -> None:
    with contextlib.suppress(FilterError):
        assert shape(parse(text)) == "a=1"
