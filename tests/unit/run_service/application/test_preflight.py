"""The preflight checks over surveys of tenants that lack this or that."""

import dataclasses

import pytest

from services.run_service.application import preflight
from services.run_service.application.survey import Constraint, Setting, Survey
from services.run_service.domain.findings import Code, Severity
from services.run_service.engine.frames import INPUT_TABLES

COLUMNS = {name: frozenset(table.columns) for name, table in INPUT_TABLES.items() if not name.startswith("pfill_")}
READY = Survey(
    tenant_id="acme",
    revision="0001",
    expected_revision="0001",
    columns=COLUMNS,
    instruments=frozenset({"30 FNMA 6.0"}),
    constraints=(Constraint("C1", "30 FNMA 6.0", "conv", enabled=True), Constraint("C2", "gone", "gone", enabled=False)),
    rules={"conv": '{"field":"fico","op":"ge","value":620}'},
)


def found(survey: Survey) -> list[tuple[Code, Severity, str]]:
    return [(finding.code, finding.severity, finding.subject) for finding in preflight.check(survey)]


def without(table: str, *columns: str) -> dict[str, frozenset[str]]:
    return COLUMNS | {table: COLUMNS[table] - set(columns)}


def test_a_ready_tenant_has_no_findings() -> None:
    assert found(READY) == []


def test_every_table_of_the_lender_is_looked_at() -> None:
    survey = dataclasses.replace(READY, columns={})
    assert {subject for _, _, subject in found(survey)} == set(COLUMNS)
    assert all(severity == Severity.ERROR for _, severity, _ in found(survey))


def test_a_missing_required_column_is_an_error_that_names_it_and_comes_before_warnings() -> None:
    survey = dataclasses.replace(READY, columns=without("pscat_trades", "trade_amount", "price"))
    assert found(survey) == [
        (Code.UPSTREAM_SCHEMA, Severity.ERROR, "pscat_trades.trade_amount"),
        (Code.UPSTREAM_SCHEMA, Severity.WARNING, "pscat_trades.price"),
    ]


@pytest.mark.parametrize("column", ["close_date", "fico", "ltv", "dti"])
def test_a_missing_optional_column_is_a_warning(column: str) -> None:
    assert found(dataclasses.replace(READY, columns=without("loan", column))) == [
        (Code.UPSTREAM_SCHEMA, Severity.WARNING, f"loan.{column}")
    ]


@pytest.mark.parametrize("revision", ["", "0000"])
def test_tables_of_another_version_are_an_error_and_policy_is_not_judged(revision: str) -> None:
    survey = dataclasses.replace(READY, revision=revision, constraints=(), settings={Code.SCHEMA_VERSION: Setting(enabled=False)})
    assert found(survey) == [(Code.SCHEMA_VERSION, Severity.ERROR, "pfill_run_history")]
    assert "tenants migrate acme" in preflight.check(survey)[0].remedy


def test_no_enabled_constraint_is_a_warning() -> None:
    survey = dataclasses.replace(READY, constraints=READY.constraints[1:])
    assert found(survey) == [(Code.CONSTRAINTS, Severity.WARNING, "pfill_constraints")]


def test_enabled_constraints_on_what_is_not_there_are_errors_by_name_with_their_ids() -> None:
    constraints = (
        Constraint("C1", "45 FNMA 9.9", "conv", enabled=True),
        Constraint("C2", "45 FNMA 9.9", "no such rule", enabled=True),
        Constraint("C3", "30 FNMA 6.0", "", enabled=True),
    )
    findings = preflight.check(dataclasses.replace(READY, constraints=constraints))
    assert [(finding.subject, finding.count, finding.examples) for finding in findings] == [
        ("instrument 45 FNMA 9.9", 2, ("C1", "C2")),
        ("rule no such rule", 1, ("C2",)),
    ]
    assert all(finding.severity == Severity.ERROR for finding in findings)


@pytest.mark.parametrize("constraints", [READY.constraints, ()], ids=["in use", "nothing enabled"])
def test_a_rule_that_does_not_parse_is_an_error_with_the_path_inside(constraints: tuple[Constraint, ...]) -> None:
    rules = {**READY.rules, "bad": '{"all":[{"field":"fico","op":"over","value":1}]}'}
    findings = preflight.check(dataclasses.replace(READY, rules=rules, constraints=constraints))
    assert (findings[0].code, findings[0].severity, findings[0].subject) == (Code.CONSTRAINTS, Severity.ERROR, "rule bad")
    assert "$.all[0].op" in findings[0].message


def test_a_setting_turns_a_check_off_or_changes_what_would_be_an_error() -> None:
    survey = dataclasses.replace(READY, columns=without("pscat_trades", "trade_amount", "price"))
    off = dataclasses.replace(survey, settings={Code.UPSTREAM_SCHEMA: Setting(enabled=False)})
    assert found(off) == []
    soft = dataclasses.replace(survey, settings={Code.UPSTREAM_SCHEMA: Setting(severity=Severity.WARNING)})
    assert {severity for _, severity, _ in found(soft)} == {Severity.WARNING}
    hard = dataclasses.replace(survey, settings={Code.UPSTREAM_SCHEMA: Setting(severity=Severity.ERROR)})
    assert found(hard) == found(survey)


def test_without_its_table_no_instrument_is_called_unknown() -> None:
    columns = {name: found_columns for name, found_columns in COLUMNS.items() if name != "pscat_instruments"}
    assert found(dataclasses.replace(READY, columns=columns, instruments=frozenset())) == [
        (Code.UPSTREAM_SCHEMA, Severity.ERROR, "pscat_instruments")
    ]
