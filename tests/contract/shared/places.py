"""Where the contract suite's databases are: one class a kind of database, with what the suite must do behind PowerFill's back."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol


class Place(Protocol):
    """A server (or folder) on which the suite may create databases."""

    endless_statement: str
    """A query that never ends by itself."""

    def url(self, name: str) -> str:
        """The URL of a database of that name, created empty if it is not there."""
        ...

    def locked(self, name: str) -> contextlib.AbstractContextManager[None]:
        """Another client holds the lock that a write needs."""
        ...


class SqlitePlace:
    """Files in a folder."""

    endless_statement = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def url(self, name: str) -> str:
        (self.folder / f"{name}.db").touch()
        return f"sqlite+aiosqlite:///{self.folder / name}.db"

    @contextlib.contextmanager
    def locked(self, name: str) -> Iterator[None]:
        with contextlib.closing(sqlite3.connect(self.folder / f"{name}.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")


PLACES = {"sqlite": SqlitePlace}
