"""The switch that writes the golden files anew instead of comparing with them: `pytest tests/golden --regenerate`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FILES = Path(__file__).parent / "files"

Golden = Callable[[str, Any], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regenerate", action="store_true", help="write the golden files from what the servers answer")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compares an answer with the file of a name, or writes the file."""

    def compare(name: str, answer: Any) -> None:
        path, text = FILES / f"{name}.json", json.dumps(answer, indent=1, sort_keys=True) + "\n"
        if request.config.getoption("--regenerate"):
            path.write_text(text)
        assert path.exists(), f"{path.name} is missing: `pytest tests/golden --regenerate` writes it; review it before it is kept"
        assert json.loads(path.read_text()) == json.loads(text)

    return compare
