"""The documents say what the code does, where that can be compared."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from services.report_service.settings import Settings as ReportSettings
from services.run_service.settings import Settings as RunSettings

REPOSITORY = Path(__file__).parents[2]
SERVICE = "services.run_service"
IN_WORDS = {"home", "registry", "page_token_secret", "workers"}
"""Settings whose default depends on the machine, or on another setting."""


def rows(document: str, first_cell: str) -> Iterator[list[str]]:
    """The cells of a table's rows whose first one begins like this."""
    for line in (REPOSITORY / "docs" / document).read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and cells[0].startswith(first_cell):
            yield cells


@pytest.mark.parametrize(("service", "settings"), [("run", RunSettings), ("report", ReportSettings)])
def test_services_md_has_every_setting_with_its_default(service: str, settings: type[BaseSettings]) -> None:
    told = {
        variable.strip("`").removeprefix("POWERFILL_").lower(): default
        for variable, default, whose in rows("services.md", "`POWERFILL_")
        if whose in (service, "both")
    }
    assert told.keys() == settings.model_fields.keys()
    for name in told.keys() - IN_WORDS:
        default = settings.model_fields[name].default
        assert told[name] == (
            f"{default:g}" if type(default) is float else str(default).lower() if default is True else str(default)
        )


def in_words(default: object) -> str:
    match default:
        case bool():
            return str(default).lower()
        case float():
            return f"{default:g}"
        case _:
            return str(default)


@pytest.mark.parametrize("package", ["domain", "engine", "application", "repositories", "bus", "worker", "rpc"])
def test_architecture_md_names_every_package_that_a_layer_imports(package: str) -> None:
    (cells,) = rows("architecture.md", f"`{SERVICE}.{package}`")
    allowed = cells[2].lower()
    for module in sorted(imported(REPOSITORY / SERVICE.replace(".", "/") / package)):
        if module.startswith(f"{SERVICE}.{package}"):
            continue
        first, second = module.removeprefix(f"{SERVICE}.").split(".")[0], ".".join(module.split(".")[:2])
        named = second if first == "shared" else first
        assert re.search(rf"\b{named}\b", allowed), f"{package} imports {module}"


def imported(folder: Path) -> set[str]:
    """Modules of the project, and the libraries that some layers must not have, that files of a folder import."""
    watched = ("services.", "shared.", "powerfill.", "numpy", "polars", "numba", "highspy", "sqlalchemy", "opentelemetry")
    trees = [ast.parse(path.read_text()) for path in folder.rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    found = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    found |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return {name for name in found if name.startswith(watched)}
