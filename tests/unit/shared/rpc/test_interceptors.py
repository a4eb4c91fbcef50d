"""The layer that turns errors into statuses, on a call without a server."""

import asyncio
from typing import Any, cast

import grpc.aio
import pytest

from shared.rpc.calls import Call
from shared.rpc.interceptors import errors


async def test_a_connection_that_breaks_while_answering_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    """gRPC fails the message on its way before it tells that the client has gone."""

    async def broken() -> Any:
        raise grpc.aio.InternalError('Failed "execute_batch"')

    with pytest.raises(asyncio.CancelledError):
        await errors(Call("/powerfill.report.v1.ReportService/ExportReport", cast(Any, None), is_stream=True), broken)
    assert caplog.records == []
