"""`python -m services.report_service`: the report server, set up by its environment."""

import asyncio

from services.report_service.app import serve
from services.report_service.settings import Settings

if __name__ == "__main__":
    asyncio.run(serve(Settings()))
