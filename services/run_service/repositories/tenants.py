"""The tenants of the registry."""

from zoneinfo import ZoneInfo

from shared.tenancy.registry import TenantRegistry


class RegistryTenants:
    """`application.ports.TenantDirectory` over the registry file."""

    def __init__(self, registry: TenantRegistry) -> None:
        self._registry = registry

    def ids(self) -> list[str]:
        """All tenants, as the registry is now."""
        return [tenant.tenant_id for tenant in self._registry.all()]

    def time_zone(self, tenant_id: str) -> ZoneInfo:
        """Where the desk's day begins. Raises TENANT_UNKNOWN."""
        return self._registry.get(tenant_id).time_zone

    def keep_runs(self, tenant_id: str) -> int:
        """How many complete runs keep their outputs and inputs. Raises TENANT_UNKNOWN."""
        return self._registry.get(tenant_id).keep_runs
