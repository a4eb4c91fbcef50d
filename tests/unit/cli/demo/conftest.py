"""Fixtures: the demo tenant at its default size, clean and with dirt, made once."""

import datetime as dt

import polars as pl
import pytest

from cli.demo.generate import demo_tables

AS_OF = dt.date(2026, 4, 17)


@pytest.fixture(scope="session")
def as_of() -> dt.date:
    return AS_OF


@pytest.fixture(scope="session")
def clean() -> dict[str, pl.DataFrame]:
    return demo_tables(AS_OF, dirty=False)


@pytest.fixture(scope="session")
def dirty() -> dict[str, pl.DataFrame]:
    return demo_tables(AS_OF)
