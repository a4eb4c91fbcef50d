"""What keeps a worker whose run was given to somebody else from writing."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.run_service.application.ports import Job
from services.run_service.domain.errors import LeaseLostError
from services.run_service.repositories.run_rows import HISTORY, IS_ACTIVE, is_run


async def hold_fence(connection: AsyncConnection, job: Job) -> None:
    """Make sure, until the transaction ends, that the job's attempt is the run's and its server holds the lease.

    Raises LeaseLostError, so that the transaction writes nothing.
    """
    mine = sa.and_(
        is_run(job.ref.tenant_id, job.ref.run_id), HISTORY.c.attempt == job.attempt, HISTORY.c.lease_owner == job.owner, IS_ACTIVE
    )
    held = await connection.execute(sa.update(HISTORY).where(mine).values({"attempt": HISTORY.c.attempt}))
    if not held.rowcount:
        raise LeaseLostError
