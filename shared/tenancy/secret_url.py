"""A database URL that shows itself to nobody: it may hold a password, so only who opens the connection reveals it."""

import os
import re
from pathlib import Path
from typing import Never

import sqlalchemy as sa

from shared.errors import Category, PowerFillError, Reason, invalid_field

DRIVERS = {
    "sqlite+aiosqlite": "SQLite",
    "postgresql+asyncpg": "PostgreSQL",
    "mssql+aioodbc": "SQL Server",
}
"""The databases a tenant can be on, by the scheme of the URL."""

_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")
_FILE = "file:"


class SecretUrl:
    """A URL as the registry has it, with placeholders; `reveal` gives the URL itself."""

    __slots__ = ("_tenant_id", "_text")

    def __init__(self, text: str, tenant_id: str) -> None:
        self._text, self._tenant_id = text.strip(), tenant_id

    def __repr__(self) -> str:
        return "SecretUrl('***')"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretUrl) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> Never:
        raise TypeError("a secret URL is not pickled; hand over the registry's path instead")

    def reveal(self) -> sa.URL:
        """The URL to connect to, every placeholder resolved.

        Raises PowerFillError UNAVAILABLE, naming the variable or file, if one cannot be resolved or the result is no URL.
        """
        text = _PLACEHOLDER.sub(lambda match: self._resolve(match[1]), self._text)
        if text.startswith(_FILE):
            text = self._resolve(text)
        try:
            return _parsed(text)
        except ValueError as error:
            raise self._unusable(str(error)) from None

    def describe(self) -> str:
        """What may be shown: the kind of database and its place, without user, password or options."""
        try:
            url = self.reveal()
        except PowerFillError:
            return "(cannot be resolved)"
        place = url.database or ""
        return f"{DRIVERS[url.drivername]} {f'{url.host}/{place}' if url.host else place}"

    def check(self) -> None:
        """Raise PowerFillError INVALID_ARGUMENT if this can never be the URL of a known database; no placeholder is resolved."""
        if self._text.startswith(_FILE) or _PLACEHOLDER.search(self._text):
            return
        try:
            _parsed(self._text)
        except ValueError as error:
            raise invalid_field("url", str(error)) from None

    def _resolve(self, name: str) -> str:
        if name.startswith(_FILE):
            path = name.removeprefix(_FILE)
            try:
                return Path(path).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError, ValueError):
                raise self._unusable(f"the file {path} cannot be read") from None
        value = os.environ.get(name)
        if value is None:
            raise self._unusable(f"the environment variable {name} is not set")
        return value

    def _unusable(self, why: str) -> PowerFillError:
        return PowerFillError(
            Category.UNAVAILABLE,
            Reason.TENANT_UNAVAILABLE,
            f"the database URL of tenant {self._tenant_id!r} cannot be used: {why}",
            {"tenant_id": self._tenant_id},
            retry_after_s=2.0,
        )


def _parsed(text: str) -> sa.URL:
    """The URL of a known database. Raises ValueError, which never quotes the text."""
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        raise ValueError("it is no URL of the form driver://user:password@host/database") from None
    if url.drivername not in DRIVERS:
        raise ValueError(f"its driver must be one of {', '.join(DRIVERS)}")
    if url.get_backend_name() == "sqlite" and (url.host or url.query or url.database in (None, "", ":memory:")):
        raise ValueError("a SQLite database is a file: sqlite+aiosqlite:///PATH, four slashes where PATH begins with one")
    return url
