"""Logs: one record a line, as text or JSON, with the ids of the current trace and without secrets."""

import datetime as dt
import logging
import re
import sys
from typing import TextIO

from opentelemetry import trace
from pythonjsonlogger.json import JsonFormatter

_TEXT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
_JSON = "%(asctime)s %(levelname)s %(name)s %(message)s %(trace_id)s %(span_id)s"
_NAMES = {"asctime": "timestamp", "levelname": "level", "name": "logger"}

_PASSWORD_IN_URL = re.compile(r"(://[^/@\s:\"']*):[^@\s\"']+@")
_BEARER = re.compile(r"(bearer\s+)[A-Za-z0-9._~+/-]+=*", re.IGNORECASE)
_NAMED_SECRET = re.compile(r"((?:pwd|password|secret|token|api[_-]?key)[\"']?\s*[=:]\s*[\"']?)(?!\*)[^\s;&,\"'}]+", re.IGNORECASE)


def configure_logging(*, json: bool, level: int | str = logging.INFO) -> None:
    """Send the records of this process to stderr, as JSON or as text, in place of what was set up before."""
    logging.basicConfig(level=level, handlers=[log_handler(sys.stderr, json=json)], force=True)


def log_handler(stream: TextIO, *, json: bool) -> logging.Handler:
    """A handler that writes to `stream`. Times are UTC; JSON records also carry what was logged as `extra`."""
    handler = logging.StreamHandler(stream)
    handler.addFilter(_add_trace_ids)
    handler.setFormatter(_Json(_JSON, rename_fields=_NAMES) if json else _Text(_TEXT))
    return handler


def redacted(text: str) -> str:
    """The text without what looks like a password, a token or a key."""
    return _NAMED_SECRET.sub(r"\1***", _BEARER.sub(r"\1***", _PASSWORD_IN_URL.sub(r"\1:***@", text)))


class _UtcFormatter(logging.Formatter):
    """Writes times in ISO form and takes secrets out of the finished line, tracebacks included."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's name
        return dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds")

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


class _Text(_UtcFormatter):
    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        trace_id = getattr(record, "trace_id", "")
        return super().formatMessage(record) + (f" trace={trace_id}" if trace_id else "")


class _Json(_UtcFormatter, JsonFormatter):
    pass


def _add_trace_ids(record: logging.LogRecord) -> bool:
    """Gives a record the ids of the current span, empty outside of one. Not a filter of records: all pass."""
    span = trace.get_current_span().get_span_context()
    record.trace_id = trace.format_trace_id(span.trace_id) if span.is_valid else ""
    record.span_id = trace.format_span_id(span.span_id) if span.is_valid else ""
    return True
