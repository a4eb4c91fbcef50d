"""The preflight checks on request."""

from collections.abc import Mapping
from typing import Any

from services.run_service.application import preflight
from services.run_service.application.ports import Clock, TenantDirectory, TenantTables
from services.run_service.application.requested_options import requested_options
from services.run_service.domain.findings import Finding
from shared.auth.caller import Caller


class CheckReadiness:
    """What would stop a run, and what the desk should know before one."""

    def __init__(self, tenants: TenantDirectory, tables: TenantTables, clock: Clock) -> None:
        self._tenants, self._tables, self._clock = tenants, tables, clock

    async def __call__(self, caller: Caller, given: Mapping[str, Any]) -> list[Finding]:
        """The findings, errors first. Raises INVALID_FIELD for options, TENANT_UNKNOWN, TENANT_UNAVAILABLE."""
        requested_options(given, self._clock.now(), self._tenants.time_zone(caller.tenant_id))
        return preflight.check(await self._tables.survey(caller.tenant_id))
