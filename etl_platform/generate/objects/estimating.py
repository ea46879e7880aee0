"""From some files to all of them."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import median

from etl_platform.generate.objects.looking import Looked
from etl_platform.generate.objects.model import Estimate


def estimate(
    files: Sequence[Looked], objects: int, size_bytes: int, readers: int
) -> Estimate | None:
    """Rows, bytes and seconds of a table by those of files that were drawn from it at random.

    Rows are estimated by the ratio of rows to stored bytes, seconds by the median of the files'
    seconds per byte; None where no file tells.

    Args:
        objects, size_bytes: of the whole table.
        readers: how many files are read side by side.
    """
    known = [one for one in files if one.rows is not None and one.info.size_bytes]
    if not known:
        return None
    sizes = [one.info.size_bytes for one in known]
    rows = [float(one.rows or 0) for one in known]
    rate = sum(rows) / sum(sizes)
    whole = len(known) == objects and all(one.counted for one in known)
    total = sum(rows) if whole else rate * size_bytes
    error = 0.0 if whole else _error(rows, sizes, rate, objects)
    plain = sum(one.plain_bytes for one in known) / sum(sizes)
    # What is used for the first time has to be loaded first: the median does not know of it.
    rates = [one.read_s / one.read_bytes for one in files if one.read_bytes]
    seconds = median(rates) * size_bytes / readers if rates else 0.0
    return Estimate(
        rows=round(total),
        rows_low=round(max(total - 2 * error, 0.0)),
        rows_high=round(total + 2 * error),
        plain_bytes=round(plain * size_bytes),
        compression_ratio=round(plain, 2),
        seconds=seconds,
        rows_per_s=total / seconds if seconds else 0.0,
        readers=readers,
        files=len(known),
        exact=whole,
    )


def _error(rows: Sequence[float], sizes: Sequence[int], rate: float, objects: int) -> float:
    """The standard error of a total by ratio; of one file alone half of the total."""
    count = len(rows)
    if count < 2:
        return rate * sizes[0] * objects / 4
    rest = sum((row - rate * size) ** 2 for row, size in zip(rows, sizes, strict=True))
    left = max(1 - count / objects, 0.0)
    return objects * sqrt(left * rest / (count - 1) / count)
