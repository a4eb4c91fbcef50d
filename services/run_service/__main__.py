"""`python -m services.run_service`: the run server, set up by its environment."""

import asyncio

from services.run_service.app import serve
from services.run_service.settings import Settings

if __name__ == "__main__":
    asyncio.run(serve(Settings()))
