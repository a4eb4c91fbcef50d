"""The preflight checks (specification 01 section 10), as pure functions over a survey of the tenant; three of the nine so far."""

import dataclasses
from collections.abc import Callable, Mapping

from services.run_service.application.survey import Setting, Survey
from services.run_service.domain.findings import MAX_EXAMPLES, Code, Finding, Severity
from services.run_service.domain.rules import RuleError, parse_rule
from services.run_service.engine.frames import INPUT_TABLES, LOAN_FIELDS

OWN_PREFIX = "pfill_"
"""PowerFill's own tables begin with it; SCHEMA_VERSION is about those, UPSTREAM_SCHEMA about the lender's."""


def check(survey: Survey) -> list[Finding]:
    """All findings under the tenant's settings, errors first."""
    found = [finding for code, run in CHECKS.items() for finding in _under(survey.settings, code, run(survey))]
    return sorted(found, key=lambda finding: finding.severity != Severity.ERROR)


def schema_version(survey: Survey) -> list[Finding]:
    """PowerFill's tables are not at this version."""
    if survey.revision == survey.expected_revision:
        return []
    message = f"PowerFill's tables are at revision {survey.revision or 'none'}, this version needs {survey.expected_revision}"
    remedy = f"run `powerfill tenants migrate {survey.tenant_id}`"
    return [Finding(Code.SCHEMA_VERSION, Severity.ERROR, "pfill_run_history", message, 1, remedy=remedy)]


def upstream_schema(survey: Survey) -> list[Finding]:
    """A required table or column is missing, or an optional column."""
    found = []
    for name, table in INPUT_TABLES.items():
        if name.startswith(OWN_PREFIX):
            continue
        columns = survey.columns.get(name)
        if columns is None:
            found.append(_missing(Severity.ERROR, name, "the table is missing", "create or load it"))
            continue
        for column in [column for column in table.columns if column not in columns]:
            subject = f"{name}.{column}"
            if column in table.optional:
                found.append(_missing(Severity.WARNING, subject, "the optional column is missing; it counts as unset", "add it"))
            else:
                found.append(_missing(Severity.ERROR, subject, "the required column is missing", "add it"))
    return found


def constraints(survey: Survey) -> list[Finding]:
    """An enabled constraint names an unknown instrument or rule, a rule does not parse, or no constraint is enabled."""
    if survey.revision != survey.expected_revision:
        return []
    enabled = [constraint for constraint in survey.constraints if constraint.enabled]
    if not enabled:
        message = "no constraint is enabled, so no loan can be allocated"
        none_enabled = Finding(Code.CONSTRAINTS, Severity.WARNING, "pfill_constraints", message, remedy="enable a constraint")
        return [none_enabled, *_unparsable(survey.rules)]
    unknown_instrument: dict[str, list[str]] = {}
    unknown_rule: dict[str, list[str]] = {}
    for constraint in enabled:
        if "pscat_instruments" in survey.columns and constraint.investor_instrument not in survey.instruments:
            unknown_instrument.setdefault(constraint.investor_instrument, []).append(constraint.constraint_id)
        if constraint.rule_name and constraint.rule_name not in survey.rules:
            unknown_rule.setdefault(constraint.rule_name, []).append(constraint.constraint_id)
    return [
        *_by_constraint(unknown_instrument, "instrument", "pscat_instruments"),
        *_by_constraint(unknown_rule, "rule", "pfill_sec_rules"),
        *_unparsable(survey.rules),
    ]


CHECKS: Mapping[Code, Callable[[Survey], list[Finding]]] = {
    Code.SCHEMA_VERSION: schema_version,
    Code.UPSTREAM_SCHEMA: upstream_schema,
    Code.CONSTRAINTS: constraints,
}
"""Every check, in order."""


def _under(settings: Mapping[Code, Setting], code: Code, found: list[Finding]) -> list[Finding]:
    """Findings under the tenant's setting of their check.

    A setting replaces the severity of what is an ERROR by default. SCHEMA_VERSION cannot be set: without the tables no run
    can be recorded.
    """
    setting = settings.get(code, Setting())
    if code == Code.SCHEMA_VERSION:
        return found
    if not setting.enabled:
        return []
    if setting.severity is None:
        return found
    severity = setting.severity
    return [
        dataclasses.replace(finding, severity=severity) if finding.severity == Severity.ERROR else finding for finding in found
    ]


def _missing(severity: Severity, subject: str, message: str, remedy: str) -> Finding:
    return Finding(Code.UPSTREAM_SCHEMA, severity, subject, message, 1, remedy=remedy)


def _by_constraint(unknown: Mapping[str, list[str]], what: str, table: str) -> list[Finding]:
    return [
        Finding(
            Code.CONSTRAINTS,
            Severity.ERROR,
            f"{what} {name}",
            f"{len(ids)} enabled constraints name the {what} {name!r}, which is not in {table}",
            len(ids),
            tuple(sorted(ids)[:MAX_EXAMPLES]),
            f"correct or disable them, or add the {what}",
        )
        for name, ids in sorted(unknown.items())
    ]


def _unparsable(rules: Mapping[str, str]) -> list[Finding]:
    found = []
    for name, expression in sorted(rules.items()):
        try:
            parse_rule(expression, LOAN_FIELDS)
        except RuleError as error:
            finding = Finding(Code.CONSTRAINTS, Severity.ERROR, f"rule {name}", str(error), 1, (name,), "correct the expression")
            found.append(finding)
    return found
