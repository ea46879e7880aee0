"""Where an incremental run begins, and where the next one will: in the API's own words."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from etl_platform.core.errors import ConfigError
from etl_platform.sources.api.resources import IncrementalOptions, Scalar
from etl_platform.sources.stream.formats.columns import Column

if TYPE_CHECKING:
    import pyarrow as pa

_PER_SECOND = {"s": 1, "ms": 1000, "us": 1_000_000, "ns": 1_000_000_000}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def begin(options: IncrementalOptions, watermark: str | None) -> Scalar | None:
    """What ``{since}`` is: the watermark less the lookback, ``initial`` where there is none.

    Args:
        watermark: ``Extraction.cursor`` of the last run that was published.

    Raises:
        ConfigError: the lookback does not fit the watermark.
    """
    if watermark is None:
        return options.initial
    lookback = options.lookback
    if not lookback:
        return watermark
    if isinstance(lookback, int):
        if watermark.lstrip("-").isdigit():
            return str(int(watermark) - lookback)
    elif (earlier := _earlier(watermark, lookback)) is not None:
        return earlier
    raise ConfigError(
        f"incremental: lookback {lookback} does not fit the cursor {options.cursor!r}, whose "
        f"largest value is {watermark!r}",
        valid="a duration for dates and times in ISO 8601, a number for whole numbers",
    )


def _earlier(text: str, lookback: timedelta) -> str | None:
    try:
        if len(text) == len("2024-12-31"):
            return (date.fromisoformat(text) + (-lookback // timedelta(days=1)) * timedelta(1)
                    ).isoformat()  # fmt: skip
        found = (datetime.fromisoformat(text) - lookback).isoformat()
    except (ValueError, OverflowError):
        return None
    return found.replace("+00:00", "Z") if text.endswith("Z") else found


class Largest:
    """The largest value of the cursor so far.

    Texts are compared as instants where all of them are dates or times, as texts otherwise
    (identifiers whose order is that of time: ULID, KSUID).
    """

    def __init__(self, column: Column) -> None:
        self._column = column
        self._value: Any = None
        self._instant: Any = None
        self._all_instants = True
        self._latest: str | None = None

    def add(self, values: pa.Array[Any]) -> None:
        """Take in values of the column's type."""
        import pyarrow as pa
        import pyarrow.compute as pc

        values = values.drop_null()
        if not len(values):
            return
        if pa.types.is_string(values.type):
            self._add_texts(values)
        found = pc.max(values).as_py()
        self._value = found if self._value is None else max(self._value, found)

    def _add_texts(self, values: pa.Array[Any]) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        if not self._all_instants:
            return
        try:
            instants = _instants(values)
        except pa.ArrowInvalid:
            self._all_instants = False
            return
        latest = pc.max(instants).as_py()
        if self._instant is None or latest > self._instant:
            self._instant = latest
            at = pc.index(instants, latest).as_py()
            self._latest = values[at].as_py()

    @property
    def text(self) -> str | None:
        """As the API writes it; None without any."""
        if self._latest is not None and self._all_instants:
            return self._latest
        value, unit = self._value, self._column.unit
        if isinstance(value, datetime) and unit is not None:
            since = (value if value.tzinfo else value.replace(tzinfo=UTC)) - _EPOCH
            return str(since // timedelta(microseconds=1) * _PER_SECOND[unit] // 1_000_000)
        if isinstance(value, datetime) and self._column.format is not None:
            return value.strftime(self._column.format)
        if isinstance(value, date):  # includes datetime
            return value.isoformat().replace("+00:00", "Z")
        return None if value is None else str(value)


def _instants(values: pa.Array[Any]) -> pa.Array[Any]:
    """Times as instants; without a zone they are taken for UTC, all of them or none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return pc.cast(values, pa.timestamp("us", "UTC"))
    except pa.ArrowInvalid:
        return pc.cast(values, pa.timestamp("us"))
