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

HASH_NAME = "splitmix64-fold/1"
"""Kept with every sketch; sketches of another hash are not merged."""

_LONG_BYTES = 4_096


def hashes(values: pa.Array[Any]) -> NDArray[np.uint64]:
    """64-bit hashes of the non-null values of an array, in order.

    Integers of any width, dates (days) and timestamps (microseconds) hash as 64-bit integers,
    floats as doubles (all NaN alike, -0.0 as 0.0), decimals by their unscaled 128-bit integer, text
    and binary by bytes. The mixing function is the finalizer of SplitMix64 (Steele, Lea, Flood
    2014), folded over the 8-byte words of a value.
    """
    import numpy as np
    import pyarrow as pa
    from pyarrow import types as t

    present = values.drop_null()
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


def as_integers(values: pa.Array[Any]) -> NDArray[np.int64]:
    """Integers, truth values, dates (days) or timestamps (microseconds) without nulls as int64."""
    import pyarrow as pa
    from pyarrow import types as t

    if t.is_date32(values.type):
        values = values.view(pa.int32())
    elif t.is_timestamp(values.type):
        values = values.view(pa.int64())
    return values.cast(pa.int64()).to_numpy(zero_copy_only=False)


def as_numbers(values: pa.Array[Any]) -> NDArray[np.float64]:
    """Values without nulls as doubles; what is no number counts in days or microseconds."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import types as t

    kind = values.type
    if t.is_floating(kind):
        return values.cast(pa.float64()).to_numpy(zero_copy_only=False)
    if t.is_decimal(kind):
        words = _words(values)
        low, high = words[:, 0], words[:, 1].view(np.int64)
        if bool(((low.view(np.int64) >> 63) == high).all()):  # fits 64 bits, as nearly all do
            return low.view(np.int64) / 10.0**kind.scale
        return values.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return as_integers(values).astype(np.float64)


def _words(decimals: pa.Array[Any]) -> NDArray[np.uint64]:
    import numpy as np

    buffer: Any = decimals.buffers()[1]
    words = np.frombuffer(buffer, np.uint64).reshape(-1, 2)
    return words[decimals.offset : decimals.offset + len(decimals)]


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """In place."""
    import numpy as np

    state += np.uint64(0x9E3779B97F4A7C15)
    state ^= state >> np.uint64(30)
    state *= np.uint64(0xBF58476D1CE4E5B9)
    state ^= state >> np.uint64(27)
    state *= np.uint64(0x94D049BB133111EB)
    state ^= state >> np.uint64(31)
    return state


def _of_bytes(values: pa.Array[Any]) -> NDArray[np.uint64]:
    """Fold eight bytes at a time over all values that still have some; the length goes in first."""
    import numpy as np

    if not len(values):
        return np.empty(0, np.uint64)
    buffers: list[Any] = values.buffers()
    _, offsets_buffer, data_buffer = buffers
    offsets = np.frombuffer(offsets_buffer, np.int32)[values.offset :][: len(values) + 1]
    starts = offsets[:-1].astype(np.int64)
    lengths = np.diff(offsets).astype(np.int64)
    state = _mix(lengths.astype(np.uint64))
    data = np.zeros(int(offsets[-1]) + 8, np.uint8)
    if data_buffer is not None:
        data[: offsets[-1]] = np.frombuffer(data_buffer, np.uint8)[: offsets[-1]]
    words: Any = np.ndarray((len(data) - 7,), np.dtype("<u8"), data, 0, (1,))
    long = np.flatnonzero(lengths > _LONG_BYTES)
    for place in long:
        begin = int(starts[place])
        text = data[begin : begin + int(lengths[place])].tobytes()
        digest = hashlib.blake2b(text, digest_size=8).digest()
        state[place] = int.from_bytes(digest, "little")
    left = np.where(lengths > _LONG_BYTES, 0, lengths)
    at = np.flatnonzero(left)
    position, left, partial = starts[at], left[at], state[at]
    while len(at):
        word = words[position]
        missing = np.maximum(8 - left, 0).astype(np.uint64) * np.uint64(8)
        word = (word << missing) >> missing
        partial = _mix(partial ^ word)
        done = left <= 8
        if done.any():
            state[at[done]] = partial[done]
            going = ~done
            at, position = at[going], position[going]
            left, partial = left[going], partial[going]
        position = position + 8
        left = left - 8
    return state
