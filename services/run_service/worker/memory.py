"""Giving memory back between two jobs: a worker serves for weeks, and one large run must not decide how much it holds."""

import ctypes
import gc
import sys


def let_go_of_memory() -> None:
    """Collect what nobody refers to, and return what the C library keeps for later, where it has a call for that.

    Without it the C library keeps most of what a solver freed, in pieces that the next run does not fit into.
    """
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # the GNU C library has it, others need none
        if trim is not None:
            trim(0)
