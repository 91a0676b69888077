"""The door to Numba: functions of plain numbers and arrays as machine code.

In: a function. Out: the same, compiled when it is first called. A handful of people, hands or plates is too little for
whole-array operations to pay: each costs more than all its numbers; a compiled loop costs next to nothing.

What Numba makes of a file is kept beside it, in ``__pycache__``, so only the first run of a version compiles. Kernels
call kernels of their own file alone: a change elsewhere would go unnoticed.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """``function`` as machine code; dividing by zero gives infinity, as in NumPy. Where nothing can be kept, because
    neither the program's folder nor that of the user's caches can be written, every process compiles anew.
    """
    try:
        kept: Callable[P, R] = njit(cache=True, error_model="numpy")(function)
    except RuntimeError:
        kept = njit(error_model="numpy")(function)
    return kept
