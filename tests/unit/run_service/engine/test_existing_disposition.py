"""The existing disposition (specification 03 number 6): every posting to a known pool, and what the run makes of its loan."""

import pytest

from tests.instances.execute import Fields, Ran, run
from tests.instances.named import every_pool_action
from tests.instances.rows import (
    Row,
    desk,
    instrument,
    loan,
    lock,
    pool,
    posting,
    relation,
    segment,
    shipped,
    trade,
)


def posted(ran: Ran) -> dict[tuple[str, str], Fields]:
    """The rows by loan and pool."""
    return {(row["loan_id"], row["pool"]): row for row in ran.rows("existing_disposition")}


def only(*rows: Row) -> Fields:
    """The only row of an instance."""
    (row,) = run(desk(*rows)).rows("existing_disposition")
    return row


def test_a_posting_shows_loan_pool_and_recommendation() -> None:
    # P is T1's and full with A; what the loan should do is stay
    row = only(loan("A", "120000.5"), trade("T1", "120000.5"), pool("P"), relation("T1", "P"), posting("P", "A"))
    assert row == {
        "loan_id": "A", "pool": "P", "loan_amount": row["loan_amount"], "note_rate": row["note_rate"], "pool_status": "FORMING",
        "is_current_pool": True, "trade_id": "T1", "at_risk": False, "risk_status": None, "in_scope": True,
        "recommended_pool": "P", "recommended_trade_id": "T1", "pool_action": "REMAINING",
    }  # fmt: skip
    assert (str(row["loan_amount"]), str(row["note_rate"])) == ("120000.50", "6.500000")


def test_every_posting_of_a_known_loan_to_a_known_pool_has_a_row() -> None:
    # pools of any status, loans in scope or not, shipped ones too; what points nowhere has none
    loans = [loan("A"), loan("B", status="Started"), loan("C", status="Gone"), loan("D"), shipped("D")]
    pools = [pool("P"), pool("OLD", "DELIVERED")]
    postings = [
        posting("P", "A"), posting("OLD", "A"), posting("P", "B"), posting("OLD", "C"), posting("P", "D"), posting("GONE", "A"),
        posting("P", "GONE"), posting("P", "A", -9),
    ]  # fmt: skip
    rows = posted(run(desk(*loans, *pools, *postings)))
    assert list(rows) == [("A", "OLD"), ("A", "P"), ("B", "P"), ("C", "OLD"), ("D", "P")]
    assert [name for (name, _), row in rows.items() if row["in_scope"]] == ["A", "A"]
    assert [key for key, row in rows.items() if row["is_current_pool"]] == [("A", "P"), ("B", "P"), ("D", "P")]
    assert [row["pool_status"] for row in rows.values()] == ["DELIVERED", "FORMING", "FORMING", "DELIVERED", "FORMING"]


def test_what_the_run_decided_stands_on_every_posting_of_the_loan_and_on_none_out_of_scope() -> None:
    rows = [pool("P"), pool("Q"), relation("T1", "P"), relation("T1", "Q", 1), posting("P", "A", -5), posting("Q", "A", -2)]
    found = posted(run(desk(loan("A"), loan("B", status="Started"), trade("T1"), *rows, posting("Q", "B"))))
    decided = [
        (row["is_current_pool"], row["recommended_pool"], row["recommended_trade_id"], row["pool_action"])
        for row in found.values()
    ]
    assert decided == [(False, "Q", "T1", "REMAINING"), (True, "Q", "T1", "REMAINING"), (True, None, None, None)]


def test_a_loan_that_got_nothing_leaves_and_one_that_never_had_a_pool_has_no_action() -> None:
    # OLD is delivered, so B has no current pool and the run says nothing about its place
    postings = [posting("P", "A"), posting("OLD", "B")]
    found = posted(run(desk(loan("A", 0), loan("B", 0), pool("P"), pool("OLD", "DELIVERED"), *postings)))
    assert [(row["recommended_pool"], row["pool_action"]) for row in found.values()] == [(None, "LEAVING"), (None, None)]


def test_on_a_trade_that_is_not_pooled_there_is_a_trade_but_no_pool() -> None:
    row = only(loan("A"), instrument("X", "CASH"), trade("T1"), pool("P"), relation("T1", "P"), posting("P", "A"))
    assert (row["recommended_pool"], row["recommended_trade_id"], row["pool_action"]) == (None, "T1", "UNPOOLED")


def test_every_action_but_the_sides_of_a_switch() -> None:
    rows = posted(run(every_pool_action()))
    assert {name: row["pool_action"] for (name, _), row in rows.items()} == {
        "G": "LEAVING",
        "R": "REMAINING",
        "S": "SWITCHING",
        "U": "UNPOOLED",
    }
    assert {key: row["recommended_pool"] for key, row in rows.items()} == {
        ("G", "P1"): None,
        ("R", "P1"): "P1",
        ("S", "P2"): "P1",
        ("U", "P1"): None,
    }
    assert rows["S", "P2"]["trade_id"] == "T2"


@pytest.mark.parametrize("strategy", ["PASSES", "OPTIMAL"])
def test_locked_and_joining_with_a_posting_that_is_no_current_pool(strategy: str) -> None:
    rows = [pool("P"), relation("T1", "P", 200_000), pool("OLD", "DELIVERED"), posting("OLD", "L"), posting("OLD", "J")]
    ran = run(desk(loan("L"), loan("J"), trade("T1", 200_000), lock("L", "T1"), *rows), strategy=strategy)
    found = {name: (row["pool_action"], row["recommended_pool"]) for (name, _), row in posted(ran).items()}
    assert found == {"L": ("LOCKED", "P"), "J": ("JOINING", "P")}


class TestTrade:
    """The pool's first trade in trade order."""

    def test_it_may_take_no_part_and_the_pool_may_be_of_any_status(self) -> None:
        rows = [pool("OLD", "DELIVERED"), posting("OLD", "A"), relation("T1", "OLD"), relation("T2", "OLD")]
        assert only(loan("A"), trade("T1", status="SETTLED", settles=5), trade("T2"), *rows)["trade_id"] == "T1"

    @pytest.mark.parametrize("related", [[], [relation("GONE", "P")]])
    def test_a_pool_related_to_no_known_trade_has_none(self, related: list[Row]) -> None:
        assert only(loan("A"), pool("P"), posting("P", "A"), *related)["trade_id"] is None


class TestRisk:
    """At risk is a segment of that name, however it is spelled; the status is that segment's."""

    POSTED = (loan("A"), pool("P"), posting("P", "A"))

    @pytest.mark.parametrize("name", ["at risk", "AT RISK", "At_Risk", "at-risk", " at risk "])
    def test_a_segment_named_so(self, name: str) -> None:
        row = only(*self.POSTED, segment("A", name, "in_risk"), segment("A", "about to close", "out_of_risk"))
        assert (row["at_risk"], row["risk_status"]) == (True, "in_risk")

    @pytest.mark.parametrize("name", ["not at risk", "risk", "at risk 2"])
    def test_any_other_segment_is_not(self, name: str) -> None:
        row = only(*self.POSTED, segment("A", name, "out_of_risk"))
        assert (row["at_risk"], row["risk_status"]) == (False, "out_of_risk")

    def test_of_several_other_segments_the_first_by_name_has_the_status(self) -> None:
        row = only(*self.POSTED, segment("A", "funded", "late"), segment("A", "closing", "early"), segment("B", "a", "other"))
        assert (row["at_risk"], row["risk_status"]) == (False, "early")

    def test_an_unknown_status_stays_unknown(self) -> None:
        row = only(*self.POSTED, segment("A", "at risk", None), segment("A", "closing", "early"))
        assert (row["at_risk"], row["risk_status"]) == (True, None)

    def test_a_loan_in_no_segment(self) -> None:
        row = only(*self.POSTED)
        assert (row["at_risk"], row["risk_status"]) == (False, None)


def test_a_loan_without_figures_shows_none() -> None:
    row = only(loan("A", None, note=None), pool("P"), posting("P", "A"))
    assert (row["loan_amount"], row["note_rate"], row["in_scope"], row["pool_action"]) == (None, None, True, "LEAVING")


def test_a_tenant_without_postings_has_no_rows() -> None:
    assert run(desk(loan("A"), trade("T1"), pool("P"))).rows("existing_disposition") == []
