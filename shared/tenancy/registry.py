"""The registry of tenants: a YAML file that says where each one's database is, its time zone and how many runs it keeps.

    tenants:
      acme:
        url: sqlite+aiosqlite:////var/lib/powerfill/acme.db
        time_zone: America/New_York
      birch:
        url: postgresql+asyncpg://powerfill:${BIRCH_PASSWORD}@db.internal/birch
        keep_runs: 30
      cedar:
        url: file:/run/secrets/cedar_url

In a URL `${NAME}` stands for an environment variable and `${file:PATH}` for the content of a file; a URL that begins with
`file:` is read from that file. They are resolved when a connection is made, verbatim: what belongs percent-encoded in a URL
must be so there. `keep_runs` is how many complete runs keep their outputs and inputs, the newest; at least 1, unless given 10.
`add` and `remove` rewrite the file, comments in it are not kept.
"""

import contextlib
import fcntl
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from shared.errors import Category, FieldViolation, PowerFillError, Reason, invalid_field, invalid_fields, tenant_unknown
from shared.tenancy.secret_url import SecretUrl

DEFAULT_TIME_ZONE = "America/New_York"
DEFAULT_KEEP_RUNS = 10

_TENANT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_KEYS = {"url", "time_zone", "keep_runs"}
_RETRY_AFTER_S = 2.0


@dataclass(frozen=True)
class Tenant:
    """One lender: where its database is, the zone in which its days begin, and how many complete runs keep their outputs."""

    tenant_id: str
    url: SecretUrl
    time_zone: ZoneInfo
    keep_runs: int


class TenantRegistry:
    """The tenants of a registry file, read again whenever the file changed; a file that is not there has none.

    Every method raises PowerFillError UNAVAILABLE, naming the file and the place but no value, while the file is unreadable.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: tuple[int, int] | None = None
        self._tenants: dict[str, Tenant] = {}

    def __repr__(self) -> str:
        return f"TenantRegistry({str(self.path)!r})"

    def get(self, tenant_id: str) -> Tenant:
        """The tenant of that name. Raises PowerFillError NOT_FOUND if there is none."""
        self._refresh()
        tenant = self._tenants.get(tenant_id)
        if tenant is None:
            raise tenant_unknown(tenant_id)
        return tenant

    def all(self) -> list[Tenant]:
        """Every tenant, by name."""
        self._refresh()
        return [self._tenants[tenant_id] for tenant_id in sorted(self._tenants)]

    def add(self, tenant_id: str, url: str, time_zone: str = DEFAULT_TIME_ZONE, keep_runs: int = DEFAULT_KEEP_RUNS) -> Tenant:
        """Put a tenant into the file.

        Raises PowerFillError INVALID_ARGUMENT for a value that cannot be, ALREADY_EXISTS for a name in use.
        """
        entry = {"url": url, "time_zone": time_zone, "keep_runs": keep_runs}
        tenant = _tenant(tenant_id, entry)
        tenant.url.check()
        with self._changing() as entries:
            if tenant_id in entries:
                raise PowerFillError(
                    Category.ALREADY_EXISTS,
                    Reason.INVALID_FIELD,
                    f"there is a tenant {tenant_id!r} already; remove it first or choose another name",
                    {"tenant_id": tenant_id},
                    fields=[FieldViolation("tenant_id", "is in use")],
                )
            entries[tenant_id] = entry
        return tenant

    def remove(self, tenant_id: str) -> None:
        """Take a tenant out of the file; its database stays as it is. Raises PowerFillError NOT_FOUND if there is none."""
        with self._changing() as entries:
            if entries.pop(tenant_id, None) is None:
                raise tenant_unknown(tenant_id)

    def _refresh(self) -> None:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            self._stamp, self._tenants = None, {}
            return
        except OSError as error:
            raise _unreadable(self.path, error.strerror or "it cannot be opened") from None
        stamp = (status.st_mtime_ns, status.st_size)
        if stamp != self._stamp:
            self._tenants = _tenants(self.path, _read(self.path))
            self._stamp = stamp

    @contextlib.contextmanager
    def _changing(self) -> Iterator[dict[str, Any]]:
        """The file's entries, for one process at a time; written back in one move when the block ends well."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.with_name(f"{self.path.name}.lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                entries = _read(self.path) if self.path.exists() else {}
                _tenants(self.path, entries)
                yield entries
                _write(self.path, entries)
        except OSError as error:
            raise PowerFillError(
                Category.PERMISSION_DENIED,
                Reason.DATABASE_PERMISSION,
                f"the tenant registry {self.path} cannot be written: {error.strerror}",
                {"object": self.path.name},
            ) from None


def _read(path: Path) -> dict[str, Any]:
    """The mapping under `tenants`. YAML's own messages quote the file, which may hold secrets: only the line is told."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        place = f"line {error.problem_mark.line + 1}" if error.problem_mark else "it"
        raise _unreadable(path, f"{place} is not valid YAML") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise _unreadable(path, "it is not valid YAML") from None
    except OSError as error:
        raise _unreadable(path, error.strerror or "it cannot be opened") from None
    if document is None:
        return {}
    if not isinstance(document, dict) or set(document) != {"tenants"}:
        raise _unreadable(path, "it must have the one key `tenants`")
    entries = document["tenants"]
    if entries is None:
        return {}
    if not isinstance(entries, dict):
        raise _unreadable(path, "`tenants` must be a mapping from tenant ids to `url`, `time_zone` and `keep_runs`")
    return entries


def _write(path: Path, entries: Mapping[str, Any]) -> None:
    """Replace the file in one move; a new file is readable by its owner alone, since URLs may hold passwords."""
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            yaml.safe_dump({"tenants": dict(entries)}, file, allow_unicode=True)
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _tenants(path: Path, entries: Mapping[Any, Any]) -> dict[str, Tenant]:
    tenants = {}
    for tenant_id, entry in entries.items():
        try:
            tenants[tenant_id] = _tenant(tenant_id, entry)
        except PowerFillError as error:
            raise _unreadable(path, f"tenant {tenant_id!r}: {error.message}") from None
    return tenants


def _tenant(tenant_id: Any, entry: Any) -> Tenant:
    if not isinstance(tenant_id, str) or not _TENANT_ID.fullmatch(tenant_id):
        raise invalid_field(
            "tenant_id", "must be 1 to 64 letters, digits, dots, dashes or underscores, the first a letter or digit"
        )
    if not isinstance(entry, dict) or "url" not in entry or set(entry) - _KEYS:
        raise invalid_field("tenant", "must have `url` and may have `time_zone` and `keep_runs`, nothing else")
    problems = []
    url, time_zone = entry["url"], entry.get("time_zone", DEFAULT_TIME_ZONE)
    keep_runs = entry.get("keep_runs", DEFAULT_KEEP_RUNS)
    if not isinstance(url, str) or not url.strip():
        problems.append(FieldViolation("url", "must be the URL of a database"))
    try:
        zone = ZoneInfo(time_zone)
    except (KeyError, ValueError, TypeError, OSError):
        problems.append(FieldViolation("time_zone", f"{time_zone!r} is no time zone; it must be one like {DEFAULT_TIME_ZONE}"))
    if type(keep_runs) is not int or keep_runs < 1:  # true is an int too
        problems.append(FieldViolation("keep_runs", f"{keep_runs!r} is not allowed; it must be a whole number of at least 1"))
    if problems:
        raise invalid_fields(problems)
    return Tenant(tenant_id, SecretUrl(url, tenant_id), zone, keep_runs)


def _unreadable(path: Path, why: str) -> PowerFillError:
    return PowerFillError(
        Category.UNAVAILABLE,
        Reason.TENANT_UNAVAILABLE,
        f"the tenant registry {path.name} cannot be used: {why}",
        {"registry": path.name},
        retry_after_s=_RETRY_AFTER_S,
    )
