"""Random numbers inside compiled code, the same on every machine: xorshift64 (Marsaglia 2003)."""

import numba
import numpy as np
import numpy.typing as npt

RandomState = npt.NDArray[np.uint64]


def seeded(seed: int) -> RandomState:
    """One element: the state."""
    return np.random.default_rng(seed).integers(1, 2**63, size=1, dtype=np.uint64)


@numba.njit(cache=True, nogil=True)
def _next(state: RandomState) -> np.uint64:
    x: np.uint64 = state[0]
    x ^= x << np.uint64(13)
    x ^= x >> np.uint64(7)
    x ^= x << np.uint64(17)
    state[0] = x
    return x


@numba.njit(cache=True, nogil=True)
def unit(state: RandomState) -> float:
    """A number from 0 to 1, 1 excluded."""
    return float(_next(state) >> np.uint64(11)) / 9007199254740992.0


@numba.njit(cache=True, nogil=True)
def below(state: RandomState, bound: int) -> np.int64:
    """An integer from 0 to bound - 1."""
    return np.int64(_next(state) % np.uint64(bound))
