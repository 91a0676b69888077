"""The numbers of JSON text without an object for each, compiled: see :mod:`smartstore.wire.heard`.

In: text that is known to be JSON. Out: its numbers as arrays.
"""

import numpy as np
from numpy.typing import NDArray

from smartstore.compiled import compiled

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
Text = NDArray[np.uint8]

_OPEN, _CLOSE, _COMMA, _BLANK, _MINUS, _POINT, _ZERO, _NULL = b"[], -.0n"
"""Nothing but blanks is less than a blank in JSON."""
_TENS = np.array([float(f"1e{places}") for places in range(23)])
"""The powers of ten that are exact."""
_EXACT = 2**53
"""Whole numbers up to this are exact."""


@compiled
def bodies(text: Text, people: int, points: int, most: float, out: Array) -> Rows:
    """Where (k,) the looks of each end in ``out``, which has first everybody's box (people, 4), then their joints
    (people, points, 3), zeros where there are none, then all numbers of their looks one after the other. In ``text``
    stand box, joints and looks of one after the other; ``out`` is half as long and as much longer as boxes and joints
    take.

    Of fewer than all (k) are the ends where something is not as it should be, or takes more than is done here: a number
    beyond ``most``, or of more digits than fit.
    """
    ends = np.empty(people, np.intp)
    at, end = 0, (4 + 3 * points) * people
    out[:end] = 0.0
    for i in range(people):
        first = 4 * people + 3 * points * i
        sides, at = _array(text, at, 0, most, out[4 * i : 4 * i + 4], False)
        found, at = _array(text, at, 3, most, out[first : first + 3 * points], False)
        count, at = _array(text, at, 0, most, out[end:], False)
        if sides != 4 or found not in (0, 3 * points) or count < 0:
            return ends[:i]
        end += count
        ends[i] = end
    return ends


@compiled
def rows(text: Text, columns: int, most: float) -> Array:
    """An array of arrays of so many numbers each, NaN for null. None at all where something is not as it should be."""
    out = np.empty(len(text) // 2 + 1)
    count, _ = _array(text, 0, columns, most, out, True)
    return out[: max(count, 0)].copy().reshape(-1, columns)


@compiled
def _array(text: Text, at: int, inner: int, most: float, out: Array, nulls: bool) -> tuple[int, int]:
    """Reads the array that begins at a place, of numbers or of arrays of ``inner`` numbers; how many they are, and
    where it ends. Less than none where it is something else or does not fit. With ``nulls`` these are NaN.
    """
    count, depth, begun, deepest = 0, 0, 0, 2 if inner else 1
    while 0 <= at < len(text):
        sign = text[at]
        if sign == _COMMA or sign <= _BLANK:
            at += 1
        elif sign == _OPEN:
            depth, begun, at = depth + 1, count, at + 1
        elif sign == _CLOSE:
            if depth == 2 and count - begun != inner:
                break
            depth, at = depth - 1, at + 1
            if depth == 0:
                return count, at
        else:
            silent = nulls and sign == _NULL
            value, at = (np.nan, at + 4) if silent else _number(text, at)
            if depth != deepest or count == len(out) or not (silent or abs(value) <= most):
                break
            out[count] = value
            count += 1
    return -1, -1


@compiled
def _number(text: Text, at: int) -> tuple[float, int]:
    """The number that begins at a place, and where it ends; NaN where it is none, or is not worked out here.

    Exact whole numbers divided by an exact power of ten are rounded correctly (Clinger, "How to read floating point
    numbers accurately", 1990).
    """
    negative = text[at] == _MINUS
    begin, whole, point = at + negative, 0, -1
    at = begin
    while at < len(text) and at < begin + 18:
        digit = int(text[at]) - _ZERO
        if 0 <= digit <= 9:
            whole = 10 * whole + digit
        elif text[at] == _POINT:
            point = at
        else:
            break
        at += 1
    places = at - point - 1 if point >= 0 else 0
    ended = at < len(text) and (text[at] == _COMMA or text[at] == _CLOSE or text[at] <= _BLANK)
    if not ended or whole > _EXACT:
        return np.nan, at
    value = whole / _TENS[places]
    return -value if negative else value, at
