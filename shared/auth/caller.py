"""Who calls: the tenant whose data is meant, and the person or program behind the call.

Until identity comes, both are what the call's metadata says; servers therefore listen on loopback addresses only.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from shared.errors import Category, PowerFillError, Reason, invalid_field

TENANT_KEY = "x-tenant-id"
USER_KEY = "x-user"
ANONYMOUS = "anonymous"

_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_USER = re.compile(r"[!-~]([ -~]{0,126}[!-~])?", re.ASCII)


@dataclass(frozen=True)
class Caller:
    """One call's tenant and subject; every query of the call runs for this tenant alone."""

    tenant_id: str
    subject: str


def caller_of(metadata: Iterable[tuple[str, str | bytes]]) -> Caller:
    """The caller that a call's metadata names.

    Raises PowerFillError: UNAUTHENTICATED without a tenant or with two; INVALID_FIELD for one that cannot be a tenant's or
    user's name.
    """
    given = list(metadata)
    tenants = {value for key, value in given if key == TENANT_KEY}
    users = {value for key, value in given if key == USER_KEY}
    if len(tenants) != 1 or "" in tenants:
        raise unauthenticated(f"the call must name one tenant in its metadata, key {TENANT_KEY}")
    if len(users) > 1:
        raise unauthenticated(f"the call must name at most one user in its metadata, key {USER_KEY}")
    tenant_id, user = str(tenants.pop()), str(users.pop() if users else ANONYMOUS)
    if _TENANT.fullmatch(tenant_id) is None:
        allowed = "1 to 64 letters, digits, dots, dashes and underscores, the first a letter or digit"
        raise invalid_field(TENANT_KEY, f"{tenant_id[:64]!r} cannot be a tenant; it must be {allowed}")
    if _USER.fullmatch(user) is None:
        raise invalid_field(USER_KEY, f"{user[:64]!r} cannot be a user; it must be 1 to 128 printable characters")
    return Caller(tenant_id, user)


def unauthenticated(message: str) -> PowerFillError:
    """UNAUTHENTICATED: the call does not say for whom it is."""
    return PowerFillError(Category.UNAUTHENTICATED, Reason.UNAUTHENTICATED, message)
