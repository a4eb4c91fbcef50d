"""`python -m services.run_service`: the run server, set up by its environment."""

import asyncio
import sys

from services.run_service.app import BackgroundError, serve
from services.run_service.settings import Settings

if __name__ == "__main__":
    try:
        asyncio.run(serve(Settings()))
    except BackgroundError as error:
        sys.exit(str(error))
