"""What is said of a file that cannot be read without loss."""

from __future__ import annotations

from etl_platform.core.errors import PermanentError


class BadFile(PermanentError):
    """A file is damaged, or holds what its format or schema does not allow.

    Attributes:
        object: the object's address.
        reason: what is wrong there.
        line: counted from 1 in the decoded text, preamble and header included; the record's number
            in formats without lines; None where the file as a whole is meant.
        column: the column's name, or its number as ``#3`` where there are no names.
    """

    def __init__(
        self,
        address: str,
        reason: str,
        *,
        line: int | None = None,
        column: str | None = None,
        unit: str = "line",
        fix: str | None = None,
    ) -> None:
        self.object = address
        self.reason = reason
        self.line = line
        self.column = column
        place = f"{address}, {unit} {line}" if line is not None else address
        shown = f", column {column!r}" if column is not None else ""
        super().__init__(f"{place}{shown}: {reason}", fix=fix)
