"""What `serve --help` promises is what the services' settings do."""

from cli.serve import serve
from services.report_service.settings import Settings as ReportSettings
from services.run_service.settings import Settings as RunSettings


def test_the_ports_in_the_help_are_the_defaults() -> None:
    text = " ".join((serve.__doc__ or "").split())
    assert f"run service listens on {RunSettings.model_fields['run_address'].default} (POWERFILL_RUN_ADDRESS)" in text
    assert f"report service on {ReportSettings.model_fields['report_address'].default} (POWERFILL_REPORT_ADDRESS)" in text
