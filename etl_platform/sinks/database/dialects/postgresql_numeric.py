"""Decimals in PostgreSQL's binary form: digits of base 10,000, found a whole column at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from etl_platform.sinks.database.dialects.arrow_buffers import numbers

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Limbs = list[npt.NDArray[np.uint64]]

_BASE = 10_000
_BASE_DIGITS = 4
_ONE_WORD_DIGITS = 18  # decimal digits that 64 bits hold


def digits(array: pa.Array[Any]) -> tuple[int, npt.NDArray[np.bool_], list[npt.NDArray[np.uint64]]]:
    """The weight of the first digit, which values are negative, and the digits of all of them.

    All values have the same digits, leading and trailing zeros among them: ``numeric_recv`` strips
    these. The first stands for ``digit * 10000**weight``. Values that are null are any.
    """
    import numpy as np

    precision, scale = array.type.precision, array.type.scale
    end = array.offset + len(array)
    words = numbers(array.buffers()[1], np.uint64, 2 * end)[2 * array.offset :]
    low, high = words[0::2], words[1::2]
    negative = high.view(np.int64) < 0
    if precision <= _ONE_WORD_DIGITS:
        limbs = [np.abs(low.view(np.int64)).view(np.uint64)]
    else:
        limbs = _magnitude(low, high, negative)
    found: list[npt.NDArray[np.uint64]] = []
    fractions = -(-scale // _BASE_DIGITS)
    if odd := scale % _BASE_DIGITS:
        limbs, digit = _divide(limbs, 10**odd)
        found.append(digit * np.uint64(10 ** (_BASE_DIGITS - odd)))
    while len(found) < fractions or any(limb.any() for limb in limbs):
        limbs, digit = _divide(limbs, _BASE)
        found.append(digit)
    return len(found) - fractions - 1, negative, found[::-1]


def _magnitude(
    low: npt.NDArray[np.uint64], high: npt.NDArray[np.uint64], negative: npt.NDArray[np.bool_]
) -> Limbs:
    """The absolute value of two's complement in 128 bits, as words of 32 bits, highest first."""
    import numpy as np

    low_size = np.where(negative, ~low + np.uint64(1), low)
    carry = (low == 0).astype(np.uint64)
    high_size = np.where(negative, ~high + carry, high)
    half, mask = np.uint64(32), np.uint64(0xFFFFFFFF)
    return [high_size >> half, high_size & mask, low_size >> half, low_size & mask]


def _divide(limbs: Limbs, by: int) -> tuple[Limbs, npt.NDArray[np.uint64]]:
    """Quotient and remainder, as on paper."""
    import numpy as np

    divisor = np.uint64(by)
    quotient: Limbs = []
    rest = np.zeros(len(limbs[0]), np.uint64)
    for limb in limbs:
        value = limb if len(limbs) == 1 else (rest << np.uint64(32)) | limb
        share = value // divisor
        quotient.append(share)
        rest = value - share * divisor
    return quotient, rest
