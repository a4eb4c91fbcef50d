import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from shared.telemetry.logging import log_handler, redacted


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.Logger("powerfill.test")
    yield logger
    logger.handlers.clear()


def in_span() -> Any:
    context = SpanContext(trace_id=0xABC, span_id=0xDEF, is_remote=False, trace_flags=TraceFlags(1))
    return trace.use_span(NonRecordingSpan(context))


def test_a_json_record_has_time_level_logger_message_extras_and_trace(logger: logging.Logger, out: io.StringIO) -> None:
    logger.addHandler(log_handler(out, json=True))
    with in_span():
        logger.warning("run %s is late", "r-1", extra={"tenant": "acme"})
    record = json.loads(out.getvalue())
    assert record.pop("timestamp").endswith("+00:00")
    assert record == {
        "level": "WARNING",
        "logger": "powerfill.test",
        "message": "run r-1 is late",
        "tenant": "acme",
        "trace_id": f"{0xABC:032x}",
        "span_id": f"{0xDEF:016x}",
    }


def test_outside_of_a_span_the_ids_are_empty(logger: logging.Logger, out: io.StringIO) -> None:
    logger.addHandler(log_handler(out, json=True))
    logger.warning("x")
    record = json.loads(out.getvalue())
    assert (record["trace_id"], record["span_id"]) == ("", "")


def test_a_text_record_ends_with_its_trace(logger: logging.Logger, out: io.StringIO) -> None:
    logger.addHandler(log_handler(out, json=False))
    with in_span():
        logger.warning("late")
    logger.warning("later")
    assert out.getvalue().splitlines()[0].endswith(f"WARNING powerfill.test: late trace={0xABC:032x}")
    assert out.getvalue().splitlines()[1].endswith("WARNING powerfill.test: later")


@pytest.mark.parametrize("as_json", [True, False])
def test_secrets_are_taken_out_of_messages_extras_and_tracebacks(
    logger: logging.Logger, out: io.StringIO, *, as_json: bool
) -> None:
    logger.addHandler(log_handler(out, json=as_json))
    try:
        raise ConnectionError("cannot open postgresql+asyncpg://desk:hunter2@db/acme")
    except ConnectionError:
        logger.exception("failed with Pwd=hunter2;", extra={"password": "hunter2"})
    assert "hunter2" not in out.getvalue()
    assert "cannot open postgresql+asyncpg://desk:***@db/acme" in out.getvalue()
    if as_json:
        assert json.loads(out.getvalue())["password"] == "***"


@pytest.mark.parametrize(
    "text",
    [
        "mssql+aioodbc://sa:hunter2@host:1433/db?driver=ODBC",
        "DRIVER={ODBC};UID=sa;PWD=hunter2;Server=h",
        "authorization: Bearer hunter2",
        "api_key = hunter2",
        "client_secret='hunter2'",
    ],
)
def test_what_is_redacted(text: str) -> None:
    assert "hunter2" not in redacted(text)
    assert "***" in redacted(text)


@pytest.mark.parametrize("text", ["sqlite+aiosqlite:////data/acme.db", "http://127.0.0.1:4317/v1", "run r-1: step ue took 0.2 s"])
def test_what_is_not(text: str) -> None:
    assert redacted(text) == text
