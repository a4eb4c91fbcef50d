"""What happens when somebody asks for a run."""

from collections.abc import Mapping
from typing import Any

from services.run_service.application import preflight
from services.run_service.application.accept_run import AcceptRun
from services.run_service.application.errors import preflight_failed
from services.run_service.application.ports import Clock, TenantDirectory, TenantTables
from services.run_service.application.requested_options import requested_options
from services.run_service.domain.findings import Code, Severity
from services.run_service.domain.run import Run
from shared.auth.caller import Caller
from shared.errors import not_yet, schema_version


class SubmitRun:
    """Resolves the options, checks the tenant's tables and policy, and has the run recorded and queued."""

    def __init__(self, accept: AcceptRun, tenants: TenantDirectory, tables: TenantTables, clock: Clock) -> None:
        self._accept, self._tenants, self._tables, self._clock = accept, tenants, tables, clock

    async def __call__(self, caller: Caller, given: Mapping[str, Any], request_id: str) -> Run:
        """The accepted run, or the one that was accepted for this request before.

        Raises INVALID_FIELD, PREFLIGHT_FAILED, SCHEMA_VERSION, NOT_YET, and what `AcceptRun` raises.
        """
        asked = requested_options(given, self._clock.now(), self._tenants.time_zone(caller.tenant_id))
        return await self._accept(caller, asked, request_id, lambda: self._refuse_unready(caller.tenant_id))

    async def _refuse_unready(self, tenant_id: str) -> None:
        survey = await self._tables.survey(tenant_id)
        findings = preflight.check(survey)
        if any(finding.code == Code.SCHEMA_VERSION for finding in findings):
            raise schema_version(tenant_id, survey.revision, survey.expected_revision)
        if any(finding.severity == Severity.ERROR for finding in findings):
            raise preflight_failed(tenant_id, findings)
        if survey.enabled_limits:
            raise not_yet(f"pfill_limits ({', '.join(survey.enabled_limits[:3])})", "disable the limits")
