"""CSV (RFC 4180): one record per message, without a header."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from etl_platform.core.errors import ConfigError
from etl_platform.sources.stream.formats.columns import ColumnDeclaration, columns_of
from etl_platform.sources.stream.formats.conversion import from_text
from etl_platform.sources.stream.formats.envelope import Envelope, Payloads, decoded, shortened
from etl_platform.sources.stream.formats.pieces import Pieces
from etl_platform.sources.stream.formats.protocol import Decoded
from etl_platform.sources.stream.formats.raw import as_text

if TYPE_CHECKING:
    import pyarrow as pa


class CsvFormat(Envelope):
    """``format: csv``: each message is one record, its values in the order of the columns."""

    format: Literal["csv"] = "csv"
    columns: dict[str, ColumnDeclaration] = Field(description="Columns in their order, and types.")
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    quote: str = Field(
        default='"', min_length=1, max_length=1, description="Doubled to stand for itself."
    )
    null: str = Field(default="", description="What stands for null where it is not quoted.")

    @model_validator(mode="after")
    def _flat(self) -> Self:
        for name, column in self.columns.items():
            if column.type is None or column.type.startswith("list") or column.path is not None:
                raise ValueError(f"column {name!r}: a value of CSV has a plain type, and no path")
        return self

    @field_validator("delimiter", "quote")
    @classmethod
    def _ascii(cls, mark: str) -> str:
        if not mark.isascii() or mark in "\r\n\0":
            raise ValueError(f"{mark!r} cannot separate or quote values")
        return mark

    def decoder(self) -> CsvDecoder:
        """What reads messages of this form."""
        return CsvDecoder(self)


class CsvDecoder:
    """Records that fit on a line are parsed together; those that do not, one by one."""

    def __init__(self, options: CsvFormat) -> None:
        if options.delimiter == options.quote:
            raise ConfigError(f"delimiter and quote are both {options.quote!r}")
        self._options = options
        self._columns = columns_of(options.columns)

    def schema(self, position: pa.DataType) -> pa.Schema:
        """The declared columns, then those of the message."""
        import pyarrow as pa

        fields = [pa.field(column.name, column.type) for column in self._columns]
        return self._options.row_schema(pa.schema(fields), position)

    def decode(self, batch: pa.RecordBatch) -> Decoded:
        """Read a batch of messages."""
        return decoded(batch, self._options, self._read)

    def _read(self, values: pa.Array[Any]) -> Payloads:
        import numpy as np
        import pyarrow.compute as pc

        texts, reasons = as_text(values)
        texts = pc.replace_substring_regex(texts, r"\r?\n\z", "")
        pieces = Pieces(from_text)
        pieces.reasons |= reasons
        alone = self._alone(texts)
        refused = np.flatnonzero(alone)
        simple = np.flatnonzero(~alone & texts.is_valid().to_numpy(zero_copy_only=False))
        if len(simple):
            refused = np.concatenate([refused, self._together(texts.take(simple), simple, pieces)])
        self._one_by_one(texts, np.setdiff1d(refused, list(reasons)), pieces)
        return pieces.payloads(self._columns)

    def _alone(self, texts: pa.Array[Any]) -> Any:
        """Which texts could change how the next is read: open quotes, line breaks, nothing."""
        import pyarrow.compute as compute

        pc: Any = compute
        odd = pc.equal(pc.bit_wise_and(pc.count_substring(texts, self._options.quote), 1), 1)
        broken = pc.match_substring_regex(texts, "[\r\n\0]")
        found = pc.or_(pc.or_(odd, broken), pc.equal(pc.binary_length(texts), 0))
        return found.fill_null(False).to_numpy(zero_copy_only=False)  # noqa: FBT003

    def _together(self, texts: pa.Array[Any], at: Any, pieces: Pieces) -> Any:
        """Parse records of one line each; which of them have another number of values."""
        import numpy as np

        table, refused = self._parsed(texts)
        kept = np.setdiff1d(np.arange(len(at)), refused, assume_unique=True)
        if table.num_rows != len(kept):
            return at
        pieces.add(at[kept], table)
        return at[refused]

    def _one_by_one(self, texts: pa.Array[Any], at: Any, pieces: Pieces) -> None:
        import numpy as np
        import pyarrow as pa

        tables: list[pa.Table] = []
        good: list[int] = []
        for index in at.tolist():
            text: str = texts[index].as_py()
            if not text:
                pieces.reasons[index] = "the message is empty"
            elif text.count(self._options.quote) % 2:
                pieces.reasons[index] = f"a quoted value is not closed: '{shortened(text)}'"
            else:
                table, refused = self._parsed(texts[index : index + 1])
                if table.num_rows == 1 and not refused:
                    tables.append(table)
                    good.append(index)
                else:
                    pieces.reasons[index] = self._reason(text, table.num_rows + len(refused))
        if tables:
            pieces.add(np.array(good, np.int64), pa.concat_tables(tables))

    def _reason(self, text: str, records: int) -> str:
        if records != 1:
            return f"{records} records in a message: '{shortened(text)}'"
        source = io.StringIO(text, newline="")
        options = self._options
        reader = csv.reader(source, delimiter=options.delimiter, quotechar=options.quote)
        found = len(next(reader))
        declared = len(self._columns)
        return f"{found} values where {declared} columns are declared: '{shortened(text)}'"

    def _parsed(self, texts: pa.Array[Any]) -> tuple[pa.Table, list[int]]:
        """All records as texts, and the rows with another number of values, which are left out."""
        import pyarrow as pa
        import pyarrow.compute as pc
        from pyarrow import csv as arrow_csv

        # The last record needs its line break, too: without it Arrow takes an empty last value for
        # a quoted one when the value before it is quoted.
        lines = pa.concat_arrays([texts, pa.array([""], pa.string())])
        whole = pa.ListArray.from_arrays(pa.array([0, len(lines)], pa.int32()), lines)
        joined: Any = pc.binary_join(whole, "\n")
        text = joined[0].as_buffer()
        source: Any = pa.BufferReader(text)
        refused: list[int] = []

        def refuse(row: Any) -> Literal["skip"]:
            refused.append(row.number - 1)
            return "skip"

        names = [column.name for column in self._columns]
        table = arrow_csv.read_csv(
            source,
            arrow_csv.ReadOptions(
                use_threads=False, column_names=names, block_size=max(text.size + 1, 1 << 16)
            ),
            arrow_csv.ParseOptions(
                delimiter=self._options.delimiter,
                quote_char=self._options.quote,
                invalid_row_handler=refuse,
                ignore_empty_lines=False,
                newlines_in_values=len(texts) == 1,
            ),
            arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=[self._options.null],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
        return table, refused
