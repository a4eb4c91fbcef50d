"""Arguments and options that several commands share, spelled and explained alike."""

from pathlib import Path
from typing import Annotated

import typer

TenantId = Annotated[str, typer.Argument(metavar="ID", help="The tenant.", show_default=False)]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run.", show_default=False)]
RunOption = Annotated[
    str, typer.Option("--run", metavar="RUN", help="The run; without it the latest complete one.", show_default=False)
]
Server = Annotated[
    str,
    typer.Option(
        "--server",
        metavar="HOST:PORT",
        envvar="POWERFILL_SERVER",
        help="The run service to call. Without a server the services are hosted in this process.",
        show_default=False,
    ),
]
ReportServer = Annotated[
    str,
    typer.Option(
        "--report-server",
        metavar="HOST:PORT",
        envvar="POWERFILL_REPORT_SERVER",
        help="The report service to call; the same as --server unless given.",
        show_default=False,
    ),
]
Local = Annotated[bool, typer.Option("--local", help="Host the services in this process even where a server is set.")]
Registry = Annotated[
    Path | None,
    typer.Option(
        "--registry",
        metavar="FILE",
        envvar="POWERFILL_REGISTRY",
        help="The tenants' registry for services in this process; POWERFILL_HOME/tenants.yaml unless given.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Options = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        "-o",
        metavar="NAME=VALUE",
        help="An option of the run, repeatable: time_limit=30, strategy=PASSES, pair_off_cost.TBA=0.05.",
        show_default=False,
    ),
]
