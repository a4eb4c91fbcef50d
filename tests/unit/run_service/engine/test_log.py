"""The run log: rows in order, and examples that come back as they went in."""

import json

from services.run_service.domain.findings import Code, warning
from services.run_service.domain.run import Step
from services.run_service.engine.tables.log import RunLog


def test_examples_are_a_list_whatever_the_keys_hold() -> None:
    log = RunLog()
    keys = ['Smith, "Jo"', "a\\b", "line\nbreak", "Zoë"]
    log.warned(Step.READ_INPUTS, warning(Code.DATA_QUALITY, "loan", "odd keys", keys))
    log.wrote(Step.UE, "synthetic trades", "2 ranked", 2)
    first, second = log.table().iter_rows(named=True)
    assert json.loads(first["examples"]) == sorted(keys)
    assert "Zoë" in first["examples"]
    assert json.loads(second["examples"]) == []


def test_a_log_without_rows_is_a_table() -> None:
    assert RunLog().table().is_empty()
