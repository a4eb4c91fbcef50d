"""Findings: how many rows, and the keys of the first few."""

from services.run_service.domain.findings import MAX_EXAMPLES, Code, Severity, warning


def test_a_warning_counts_all_rows_and_shows_the_first_keys_in_order() -> None:
    keys = [f"L{number}" for number in (9, 3, 7, 1, 8, 2)]
    found = warning(Code.DATA_QUALITY, "loan", "six loans", keys, "correct them")
    assert (found.code, found.severity, found.subject, found.count) == ("DATA_QUALITY", Severity.WARNING, "loan", 6)
    assert found.examples == ("L1", "L2", "L3", "L7", "L8")
    assert len(found.examples) == MAX_EXAMPLES
    assert found.remedy == "correct them"


def test_a_warning_about_no_row_counts_none() -> None:
    assert warning(Code.PRICES, "prices", "none", []).count == 0
