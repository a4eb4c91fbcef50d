"""`powerfill tenants check` shows what `powerfill run` would refuse to start on."""

import pytest
import sqlalchemy as sa

from shared.tenancy.database import TenantDatabase
from tests.builders import constraint, fill
from tests.integration.cli.shell import Shell

DAY = ("--option", "as_of_date=2026-04-17")
NOT_IN_TABLE = "1 enabled constraints name the rule 'GONE', which is not in pfill_sec_rules"


async def execute(database: TenantDatabase, *statements: str) -> None:
    async with database.begin() as connection:
        for statement in statements:
            await connection.execute(sa.text(statement))


@pytest.mark.parametrize(
    ("broken", "code", "subject", "remedy"),
    [
        (
            "UPDATE pfill_constraints SET rule_name = 'GONE'",
            "CONSTRAINTS",
            "rule GONE",
            "correct or disable them, or add the rule",
        ),
        ("DROP TABLE rmcat_todays_prices", "UPSTREAM_SCHEMA", "rmcat_todays_prices", "create or load it"),
        ("ALTER TABLE loan DROP COLUMN note_rate", "UPSTREAM_SCHEMA", "loan.note_rate", "add it"),
    ],
)
async def test_what_run_refuses_check_shows(
    filled: TenantDatabase, shell: Shell, broken: str, code: str, subject: str, remedy: str
) -> None:
    await execute(filled, broken)
    refused = await shell.run("run", "acme")
    assert (refused.code, "(PREFLIGHT_FAILED)" in refused.err) == (1, True)
    checked = await shell.run("tenants", "check", "acme")
    assert checked.code == 1
    assert "is ready" not in checked.out
    first, second = checked.err.splitlines()
    assert first.startswith(f"error: {code} {subject}: ")
    assert second == f"  {remedy}"
    assert f"{subject}: " in refused.err


async def test_json_has_the_findings_errors_first(filled: TenantDatabase, shell: Shell) -> None:
    await fill(filled, {"pfill_constraints": [constraint("C2", "GONE")]})
    await execute(filled, "ALTER TABLE loan DROP COLUMN fico")
    checked = await shell.run("tenants", "check", "acme", "--json")
    assert (checked.code, checked.err, checked.json["ready"]) == (1, "", False)
    first, second = checked.json["findings"]
    assert first == {
        "code": "CONSTRAINTS",
        "severity": "ERROR",
        "subject": "rule GONE",
        "message": NOT_IN_TABLE,
        "count": 1,
        "examples": ["C2"],
        "remedy": "correct or disable them, or add the rule",
    }
    assert (second["severity"], second["subject"]) == ("WARNING", "loan.fico")


async def test_what_a_tenant_made_a_warning_stops_neither(filled: TenantDatabase, shell: Shell) -> None:
    await execute(
        filled,
        "ALTER TABLE loan DROP COLUMN state",
        "INSERT INTO pfill_preflight_settings (check_code, enabled, severity) VALUES ('UPSTREAM_SCHEMA', 1, 'WARNING')",
    )
    checked = await shell.run("tenants", "check", "acme")
    assert (checked.code, checked.err) == (0, "")
    *_, warning, ready = checked.out.splitlines()
    assert (warning, ready) == ("warning: UPSTREAM_SCHEMA loan.state: the required column is missing; add it", "acme is ready")
    assert (await shell.run("run", "acme", *DAY, "--option", "time_limit=1")).code == 0


async def test_a_missing_table_of_powerfills_own_is_told(filled: TenantDatabase, shell: Shell) -> None:
    await execute(filled, "DROP TABLE pfill_limits")
    checked = await shell.run("tenants", "check", "acme", "--json")
    assert (checked.code, checked.json["ready"], checked.json["findings"]) == (1, False, [])
    assert checked.json["errors"] == ["the PowerFill table pfill_limits is missing"]
