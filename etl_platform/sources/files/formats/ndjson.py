"""Newline-delimited JSON: one object on each line (https://github.com/ndjson/ndjson-spec)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from etl_platform.sources.files.columns import columns_of_schema
from etl_platform.sources.files.errors import BadFile
from etl_platform.sources.files.formats.doubles import first_changed, has_doubles
from etl_platform.sources.files.formats.unknown import first_unknown
from etl_platform.sources.files.models import FileFormat
from etl_platform.sources.stream.formats.columns import Column

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK_BYTES = 4 << 20
LONGEST_LINE_BYTES = 64 << 20


def lines(text: bytes) -> list[bytes]:
    """The lines that hold something."""
    return [line for line in text.split(b"\n") if line.strip()]


def read_ndjson(
    pieces: Iterable[bytes], form: FileFormat, schema: pa.Schema, where: str
) -> Iterator[pa.RecordBatch]:
    """Record batches of ``schema``; a field that an object lacks is null.

    Raises:
        BadFile: with the line: no JSON object, a field that the schema lacks, a value that has no
            exact place in its column.
    """
    reader = Records(columns_of_schema(schema, form.options), schema, where, "line")
    first = 1
    for block in _blocks(pieces, where):
        numbered = [
            (number, line)
            for number, line in enumerate(block.split(b"\n"), first)
            if line.strip(b" \t\r")
        ]
        first += block.count(b"\n")
        if numbered:
            numbers, records = zip(*numbered, strict=True)
            yield reader.batch(records, numbers)


def _blocks(pieces: Iterable[bytes], where: str) -> Iterator[bytes]:
    held, size = list[bytes](), 0
    line = 1
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size < BLOCK_BYTES or b"\n" not in piece:
            if size > LONGEST_LINE_BYTES:
                raise BadFile(
                    where, f"a line of more than {LONGEST_LINE_BYTES >> 20} MiB", line=line
                )
            continue
        text = b"".join(held)
        cut = text.rfind(b"\n") + 1
        yield text[:cut]
        line += text.count(b"\n", 0, cut)
        held, size = [text[cut:]], len(text) - cut
    if size:
        yield b"".join(held)


def check(records: Sequence[bytes], where: str, numbers: Sequence[int] | None = None) -> None:
    """Refuse what is no JSON object, one by one; for samples.

    Raises:
        BadFile: with the line.
    """
    from etl_platform.sources.stream.formats.json import single

    for number, record in enumerate(records, 1):
        try:
            single.parse(record)
        except single.Unusable as error:
            line = number if numbers is None else numbers[number - 1]
            raise BadFile(where, str(error), line=line) from error


class Records:
    """JSON objects -> batches; the checks of streams' JSON, one refusal ends it."""

    def __init__(
        self, columns: tuple[Column, ...], schema: pa.Schema, where: str, unit: str
    ) -> None:
        from etl_platform.core.duck import sealed

        self._columns, self._schema, self._where, self._unit = columns, schema, where, unit
        self._known = frozenset(column.path[0] for column in columns)
        self._has_doubles = any(has_doubles(field.type) for field in schema)
        self._session = sealed()

    def batch(self, records: Sequence[bytes], numbers: Sequence[int]) -> pa.RecordBatch:
        """One batch.

        Raises:
            BadFile: see :func:`read_ndjson`.
        """
        import numpy as np
        import pyarrow as pa

        from etl_platform.sources.stream.formats.conversion import written_schema
        from etl_platform.sources.stream.formats.json import parsing, screen, single
        from etl_platform.sources.stream.formats.pieces import Pieces

        values: Any = pa.array(records, pa.binary())
        unknown = first_unknown(records, self._columns)
        if unknown is not None:
            raise self._new_field(numbers[unknown[0]], unknown[1])
        changed = first_changed(values, records, self._schema) if self._has_doubles else None
        if changed is not None:
            row, name, number = changed
            raise BadFile(
                self._where,
                f"{number} is not exactly a double",
                line=numbers[row],
                column=name,
                unit=self._unit,
                fix=f"declare types: {{{name}: decimal(38, N)}}",
            )
        sound = screen.sound(self._session, values)
        at = np.flatnonzero(sound.to_numpy(zero_copy_only=False))
        some = values if len(at) == len(values) else values.filter(sound)
        keys = screen.key_lists(self._session, some) if len(at) else []
        if any(set(names) - self._known for names, _ in keys):
            self._unknown(records, numbers)
        pieces = Pieces()
        parts, left = parsing.parsed(some, self._columns, halve=True)
        kept = np.setdiff1d(np.arange(len(at)), left, assume_unique=True)
        pieces.add(at[kept], pa.concat_tables(parts))
        alone = np.setdiff1d(np.arange(len(values)), at[kept], assume_unique=True)
        rows: list[dict[str, Any]] = []
        good: list[int] = []
        for index in alone.tolist():
            try:
                found = single.parse(records[index])
                if {name for name, _ in found} - self._known:
                    self._unknown(records, numbers)
                rows.append(single.written(found, self._columns))
                good.append(index)
            except single.Unusable as error:
                pieces.reasons[index] = str(error)
        if rows:
            table = pa.Table.from_pylist(rows, written_schema(self._columns))
            pieces.add(np.array(good, np.int64), table)
        payloads = pieces.payloads(self._columns)
        if payloads.reasons:
            row = min(payloads.reasons)
            raise BadFile(
                self._where,
                payloads.reasons[row],
                line=numbers[row],
                unit=self._unit,
                fix="declare types: {FIELD: ...} that hold these values",
            )
        table = payloads.columns.select(self._schema.names).combine_chunks()
        return table.cast(self._schema).to_batches()[0]

    def _unknown(self, records: Sequence[bytes], numbers: Sequence[int]) -> None:
        from etl_platform.sources.stream.formats.json import single

        for record, number in zip(records, numbers, strict=True):
            try:
                names = [name for name, _ in single.parse(record)]
            except single.Unusable as error:
                raise BadFile(self._where, str(error), line=number, unit=self._unit) from error
            for name in names:
                if name not in self._known:
                    raise self._new_field(number, name)

    def _new_field(self, number: int, name: str) -> BadFile:
        return BadFile(
            self._where,
            "a field that the schema does not have",
            line=number,
            column=name,
            unit=self._unit,
        )
