"""Files that are there whole or not at all: written beside their place and moved into it."""

import contextlib
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from cli.exit_codes import CommandError


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A new file beside `path` to write; when the block ends well it takes the place of `path`.

    Raises CommandError where that cannot be.
    """
    path = path.resolve()
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    with _explained(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with part.open("xb") as file:
                yield file
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_directory(path: Path) -> Iterator[Path]:
    """A new directory beside `path` to fill; when the block ends well it takes the place of `path` and of what was there."""
    path = path.resolve()
    token = secrets.token_hex(4)
    part, old = (path.with_name(f".{path.name}.{token}.{kind}") for kind in ("part", "old"))
    with _explained(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.mkdir()
            yield part
            _take_the_place(part, path, old)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def _take_the_place(part: Path, path: Path, old: Path) -> None:
    if not path.exists():
        part.rename(path)
        return
    path.rename(old)
    try:
        part.rename(path)
    except OSError:
        old.rename(path)
        raise
    shutil.rmtree(old)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror or error}") from None
