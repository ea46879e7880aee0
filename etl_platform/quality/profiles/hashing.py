"""A hash of values that is the same in every process, on every machine, with every library.

Distinct counts of partitions can only be merged when equal values had equal hashes on the day that
each was profiled, so none of the engines' own hashes serve: they change between releases.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

HASH_NAME = "splitmix64-fold/2"
"""Kept with every sketch; sketches of another hash are not merged."""

_LONG_BYTES = 4_096
_WORD = 8
_STEP = 0x9E3779B97F4A7C15
"""2^64 divided by the golden ratio, the odd constant of SplitMix64."""


def hashes(values: pa.Array[Any]) -> NDArray[np.uint64]:
    """64-bit hashes of the non-null values of an array, in order.

    Integers of any width, dates (days) and timestamps (microseconds) hash as 64-bit integers,
    floats as doubles (all NaN alike, -0.0 as 0.0), decimals by their unscaled 128-bit integer, text
    and binary by bytes. The mixing function is the finalizer of SplitMix64 (Steele, Lea, Flood
    2014); the 8-byte words of texts before the last are folded by a multiplication each.
    """
    import numpy as np
    import pyarrow as pa
    from pyarrow import types as t

    present = present_of(values)
    kind = present.type
    if t.is_large_string(kind):
        present, kind = present.cast(pa.string()), None
    if kind is None or t.is_string(kind) or t.is_binary(kind):
        return _of_bytes(present)
    if t.is_decimal(kind):
        words = _words(present)
        return _mix(_mix(words[:, 0].copy()) ^ words[:, 1])
    if t.is_floating(kind):
        numbers = as_numbers(present) + 0.0
        numbers[np.isnan(numbers)] = np.nan
        return _mix(numbers.view(np.uint64))
    return _mix(as_integers(present).view(np.uint64).copy())


def present_of(values: pa.Array[Any]) -> pa.Array[Any]:
    """The values that are not null; the same array, not a copy, when none is."""
    return values.drop_null() if values.null_count else values


def from_arrow(numbers: pa.Array[Any]) -> NDArray[Any]:
    """Numbers without nulls as they lie in memory, to be read only.

    Not by ``to_numpy``, which imports pandas to ask whether it is concerned: 0.2 s of a process.
    """
    import numpy as np

    shared: Any = numbers
    return np.from_dlpack(shared)


def as_integers(values: pa.Array[Any]) -> NDArray[np.int64]:
    """Integers, truth values, dates (days) or timestamps (microseconds) without nulls as int64."""
    import pyarrow as pa
    from pyarrow import types as t

    if t.is_date32(values.type):
        values = values.view(pa.int32())
    elif t.is_timestamp(values.type):
        values = values.view(pa.int64())
    if not t.is_int64(values.type):
        values = values.cast(pa.int64())
    return from_arrow(values)


def as_numbers(values: pa.Array[Any]) -> NDArray[np.float64]:
    """Values without nulls as doubles; what is no number counts in days or microseconds."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import types as t

    kind = values.type
    if t.is_floating(kind):
        return from_arrow(values.cast(pa.float64()))
    if t.is_decimal(kind):
        words = _words(values)
        low, high = words[:, 0], words[:, 1].view(np.int64)
        if bool(((low.view(np.int64) >> 63) == high).all()):  # fits 64 bits, as nearly all do
            return low.view(np.int64) / 10.0**kind.scale
        return from_arrow(values.cast(pa.float64()))
    return as_integers(values).astype(np.float64)


def _words(decimals: pa.Array[Any]) -> NDArray[np.uint64]:
    import numpy as np

    buffer: Any = decimals.buffers()[1]
    words = np.frombuffer(buffer, np.uint64).reshape(-1, 2)
    return words[decimals.offset : decimals.offset + len(decimals)]


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """In place."""
    import numpy as np

    state += np.uint64(_STEP)
    state ^= state >> np.uint64(30)
    state *= np.uint64(0xBF58476D1CE4E5B9)
    state ^= state >> np.uint64(27)
    state *= np.uint64(0x94D049BB133111EB)
    state ^= state >> np.uint64(31)
    return state


def _of_bytes(values: pa.Array[Any]) -> NDArray[np.uint64]:
    """Fold the 8-byte words of all values that still have one; the length goes in first.

    The last word ends where the value ends, so it may overlap the one before; a value of fewer than
    eight bytes is shifted up, and longer ones than 4 KiB are digested by BLAKE2b.
    """
    import numpy as np

    if not len(values):
        return np.empty(0, np.uint64)
    data, starts, ends = _bytes_of(values)
    lengths = ends - starts
    long = np.flatnonzero(lengths > _LONG_BYTES)
    folded = np.where(lengths > _LONG_BYTES, 0, lengths) if len(long) else lengths
    words: Any = np.ndarray((len(data) - 7,), np.dtype("<u8"), data, 0, (1,))
    # Ordered by their number of words, the values that still have one are the end of an array.
    before_last = (np.maximum(folded - 1, 0) >> 3).astype(np.uint16)
    order = before_last.argsort(kind="stable")
    at, left = starts[order], folded[order]
    state = lengths[order].astype(np.uint64) * np.uint64(_STEP)
    # The word of a short value near the end of the data begins before it.
    tail = np.minimum(np.where(left >= 8, at + left - 8, at), len(words) - 1)
    before = at - tail
    for done in np.bincount(before_last).cumsum()[:-1].tolist():
        part = state[done:]
        part ^= words[at[done:]]
        part *= np.uint64(_STEP)
        part ^= part >> np.uint64(32)
        at[done:] += 8
    last = words[tail]
    short = np.flatnonzero(left < 8)
    missing = (np.minimum(8 - left[short], 7) * 8).astype(np.uint64)
    begun = last[short] >> (np.minimum(before[short], 7) * 8).astype(np.uint64)
    last[short] = np.where(left[short] > 0, begun << missing, np.uint64(0))
    state ^= last
    result = np.empty_like(state)
    result[order] = _mix(state)
    for place in long.tolist():
        digest = hashlib.blake2b(data[starts[place] : ends[place]].tobytes(), digest_size=8)
        result[place] = int.from_bytes(digest.digest(), "little")
    return result


def _bytes_of(
    values: pa.Array[Any],
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """The bytes of text or binary values, at least eight, and where each value stands in them."""
    import numpy as np

    buffers: list[Any] = values.buffers()
    offsets = np.frombuffer(buffers[1], np.int32)[values.offset :][: len(values) + 1]
    first, last = int(offsets[0]), int(offsets[-1])
    # An array of nothing but empty texts may have no buffer for their bytes.
    data = np.empty(0, np.uint8)
    if last > first:
        data = np.frombuffer(buffers[2], np.uint8)[first:last]
    if len(data) < _WORD:
        data = np.concatenate([data, np.zeros(_WORD, np.uint8)])
    places = offsets.astype(np.int64) - first
    return data, places[:-1], places[1:]


def lengths_of(values: pa.Array[Any]) -> NDArray[np.int64]:
    """Characters of texts, bytes of binary values, without nulls."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    buffers: list[Any] = values.buffers()
    if pa.types.is_string(values.type) and buffers[2] is not None:
        offsets = np.frombuffer(buffers[1], np.int32)[values.offset :][: len(values) + 1]
        text = np.frombuffer(buffers[2], np.int8)[offsets[0] : offsets[-1]]
        if not len(text) or text.min() >= 0:  # ASCII: a character is a byte
            return np.diff(offsets).astype(np.int64)
    measured: Any = pc.utf8_length if pa.types.is_string(values.type) else pc.binary_length
    return from_arrow(measured(values)).astype(np.int64)
