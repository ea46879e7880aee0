"""What was found, as data; nothing in it is a value that the profile takes for personal."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    from etl_platform.quality import Profile


@dataclass(frozen=True, slots=True)
class Partition:
    """A hive folder ``name=value``, or dates in names (``name`` is then ``date in the name``).

    Attributes:
        values: how many different ones; ``more`` when they were not all counted.
        low, high: smallest and largest, as numbers where all are numbers, else as text.
        sizes: bytes along the values in their order, dates by the calendar, in at most 100 steps.
        missing_days: between the first and the last date.
    """

    name: str
    type: str
    values: int
    more: bool
    low: str
    high: str
    hive: bool = True
    sizes: tuple[int, ...] = ()
    missing_days: int = 0

    def with_sizes(self, sizes: tuple[int, ...], missing_days: int = 0) -> Self:
        return replace(self, sizes=sizes, missing_days=missing_days)


@dataclass(frozen=True, slots=True)
class BadObject:
    """An object of the sample that cannot be read as it is."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Column:
    """A column of all looked-at files together.

    Attributes:
        type: the Arrow type that holds each file's values exactly; ``string`` where the files
            disagree so that there is none.
        confidence: 0 to 1, that the rows which were not looked at fit: 1 where all were, else the
            share of files that agree times 1 - 1 / (values + 1) (Laplace's rule of succession).
        null_share, distinct, low, high, most_frequent, pii: of the sampled rows, as the profile
            has them; personal values are masked.
    """

    name: str
    type: str
    confidence: float
    notes: tuple[str, ...] = ()
    null_share: float | None = None
    distinct: int | None = None
    low: str | None = None
    high: str | None = None
    most_frequent: str | None = None
    pii: str | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What processing all objects of a table would mean.

    Attributes:
        rows: with ``rows_low`` and ``rows_high`` as the interval of two standard errors of the
            ratio estimator (Cochran, Sampling Techniques, chapter 6).
        exact: every row was counted.
        plain_bytes: after decompression.
        seconds: to read everything at the rate measured on the sample, ``readers`` at once, on
            this machine; nothing is written.
        files: that the estimate rests on, drawn at random.
    """

    rows: int
    rows_low: int
    rows_high: int
    plain_bytes: int
    compression_ratio: float
    seconds: float
    rows_per_s: float
    readers: int
    files: int
    exact: bool


@dataclass(frozen=True, slots=True)
class TableCandidate:
    """Objects that look like one table.

    Attributes:
        name: what the table could be called.
        pattern: of the keys; ``*`` stands for what differs.
        path: a glob below the place's location that means these keys.
        read: what of their form should be declared, as options of a file source.
        forms: format, compression, encoding and dialect, with how many looked-at files have them.
        questions: what only a declaration can answer, each with one object's key.
        disagreements: in what looked-at files differ, with one of them named.
        suspicions: what somebody should look at first.
        sampled_rows: that types, quality and profile rest on.
        quality: 0 to 100, of the sampled rows.
    """

    name: str
    pattern: str
    objects: int
    size_bytes: int
    oldest: datetime
    newest: datetime
    path: str = ""
    read: dict[str, Any] = field(default_factory=dict[str, Any])
    partitions: tuple[Partition, ...] = ()
    looked_at: int = 0
    forms: tuple[tuple[str, int], ...] = ()
    bad: tuple[BadObject, ...] = ()
    questions: tuple[str, ...] = ()
    disagreements: tuple[str, ...] = ()
    suspicions: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    estimate: Estimate | None = None
    sampled_rows: int = 0
    quality: float | None = None
    profile: Profile | None = None


@dataclass(frozen=True, slots=True)
class LeftAside:
    """Objects that are no data, or whose table was not looked into."""

    reason: str
    objects: int
    size_bytes: int
    example: str


@dataclass(frozen=True, slots=True)
class ObjectsInspection:
    """A place: all objects were listed, some of them read.

    Attributes:
        location: that keys and paths are below.
        seconds: of the whole inspection, ``listing_s`` of the listing within.
        layout: of this document; another number means that fields have other meanings.
    """

    address: str
    location: str
    objects: int
    size_bytes: int
    tables: tuple[TableCandidate, ...]
    left_aside: tuple[LeftAside, ...]
    listing_s: float
    seconds: float
    layout: Literal[1] = 1
