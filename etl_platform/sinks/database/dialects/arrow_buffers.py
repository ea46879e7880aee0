"""Arrow's memory as numpy's and back, without a copy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa


def numbers(buffer: pa.Buffer | None, kind: Any, count: int) -> npt.NDArray[Any]:
    """The first numbers of a buffer; ``kind`` is their numpy type."""
    import numpy as np

    return np.frombuffer(memoryview(buffer) if buffer is not None else b"", kind, count)


def truths(values: pa.BooleanArray) -> npt.NDArray[Any]:
    """Booleans without nulls. Not by ``to_numpy``, which imports pandas: 0.2 s of a process."""
    import numpy as np
    import pyarrow as pa

    _, bytes_ = values.cast(pa.uint8()).buffers()
    return numbers(bytes_, np.bool_, len(values))


def buffer_of(values: npt.NDArray[Any]) -> pa.Buffer:
    """The memory of an array, row after row."""
    import numpy as np
    import pyarrow as pa

    contiguous: Any = np.ascontiguousarray(values)  # numpy's stubs do not say that it is a buffer
    return pa.py_buffer(contiguous)
