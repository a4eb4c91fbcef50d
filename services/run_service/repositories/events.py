"""Reading `pfill_run_event`."""

import sqlalchemy as sa

from services.run_service.domain.events import RunEvent
from services.run_service.domain.run import RunRef
from services.run_service.repositories.event_rows import event_of
from services.run_service.repositories.run_rows import HISTORY, is_run
from shared.database.tables import AUDIT_TABLES
from shared.tenancy.connections import TenantConnections

_EVENTS = AUDIT_TABLES["pfill_run_event"]


class SqlEvents:
    """`application.ports.EventLog` over the tenants' databases."""

    def __init__(self, connections: TenantConnections) -> None:
        self._connections = connections

    async def read(self, ref: RunRef, after_sequence: int, limit: int) -> list[RunEvent]:
        """At most `limit` events of the tenant's run with a greater sequence, in order."""
        its_run = sa.exists().where(is_run(ref.tenant_id, ref.run_id), HISTORY.c.run_id == _EVENTS.c.run_id)
        statement = (
            sa.select(_EVENTS)
            .where(_EVENTS.c.run_id == ref.run_id, _EVENTS.c.sequence > after_sequence, its_run)
            .order_by(_EVENTS.c.sequence)
            .limit(limit)
        )
        database = await self._connections.database(ref.tenant_id)
        async with database.connect() as connection:
            return [event_of(dict(row)) for row in (await connection.execute(statement)).mappings()]
