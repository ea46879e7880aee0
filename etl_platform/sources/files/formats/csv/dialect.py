"""The dialect of a CSV file, from a sample; what several dialects explain is a question."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from dataclasses import dataclass

from etl_platform.sources.files.errors import BadFile
from etl_platform.sources.files.formats.csv.names import names_of
from etl_platform.sources.files.formats.csv.scanning import Damaged, Record, records
from etl_platform.sources.files.models import CsvDialect, FileFormat

DELIMITERS = ",;\t|"
_NUMBER = re.compile(r"[-+]?[0-9][0-9.,' ]*([eE][-+]?[0-9]+)?%?")
_DATE = re.compile(r"[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}([T ][0-9:.]+(Z|[+-][0-9:]+)?)?")
_BOOLEAN = re.compile(r"true|false", re.IGNORECASE)
_MOST_RECORDS = 2000
_SEPARATOR = re.compile(r"sep=.?\r?\n", re.IGNORECASE)


@dataclass(frozen=True)
class _Reading:
    """The sample as one dialect reads it."""

    dialect: CsvDialect
    records: list[Record]
    damage: Damaged | None

    @property
    def widths(self) -> Counter[int]:
        return Counter(len(one.fields) for one in self.records)

    @property
    def width(self) -> int:
        return self.widths.most_common(1)[0][0] if self.records else 0

    @property
    def even(self) -> bool:
        return self.damage is None and len(self.widths) == 1 and self.width > 1

    @property
    def split_inside(self) -> int:
        """Values that hold another delimiter and are no number."""
        return sum(
            1
            for one in self.records
            for field, quoted in zip(one.fields, one.quoted, strict=True)
            if not quoted
            and any(mark in field for mark in DELIMITERS if mark != self.dialect.delimiter)
            and not _NUMBER.fullmatch(field.strip())
        )


def detect_csv(text: str, whole: bool, base: FileFormat, where: str) -> FileFormat:
    """Delimiter, quote, escape, header and names.

    Args:
        text: the sample; cut anywhere unless ``whole``.

    Raises:
        BadFile: the sample has no data behind what is to be skipped.
    """
    options = base.options.csv
    line_end = "\r" if "\r" in text and "\n" not in text else "\n"
    text = text.replace("\r", "\n") if line_end == "\r" else text
    lines = text.split("\n", options.skip)
    body = lines[options.skip] if len(lines) > options.skip else ""
    if not body.strip("\r\n"):
        raise BadFile(where, f"nothing follows the {options.skip} lines to skip")
    if options.footer and whole:
        body = "\n".join(body.rstrip("\r\n").split("\n")[: -options.footer])
    readings = [
        _read(body, whole, CsvDialect(mark, line_end=line_end, skip=options.skip), base, quote)
        for mark in ([options.delimiter] if options.delimiter else DELIMITERS)
        for quote in ([options.quote] if options.quote is not None else ['"'])
    ]
    readings = [
        one for reading in readings for one in _with_other_quotes(body, whole, reading, base)
    ]
    best, reason, questions = _best(readings, declared=options.delimiter is not None)
    dialect = dataclasses.replace(best.dialect, footer=options.footer)
    found = dataclasses.replace(
        base,
        format="csv",
        dialect=dialect,
        reasons=(*base.reasons, reason),
        questions=(*base.questions, *questions, *_preamble(best, body)),
    )
    return _with_header(found, best, dialect)


def _read(body: str, whole: bool, dialect: CsvDialect, base: FileFormat, quote: str) -> _Reading:
    chosen = dataclasses.replace(dialect, quote=quote, escape=base.options.csv.escape or "")
    found: list[Record] = []
    damage = None
    try:
        for record in records(body, chosen, dialect.skip + 1):
            found.append(record)
            if len(found) >= _MOST_RECORDS:
                break
        else:
            if not whole and len(found) > 1:
                found.pop()
    except Damaged as error:
        # A sample that is cut inside quotes looks as if they were never closed.
        cut = not whole and "never closed" in error.reason and len(found) > 1
        damage = None if cut else error
    return _Reading(chosen, found, damage)


def _with_other_quotes(
    body: str, whole: bool, reading: _Reading, base: FileFormat
) -> list[_Reading]:
    """The reading, or the one with the quotes that make sense of the sample."""
    options = base.options.csv
    if reading.damage is None or options.quote is not None:
        return [reading]
    if options.escape is None and '\\"' in body:
        escaped = dataclasses.replace(
            base,
            options=base.options.model_copy(
                update={"csv": options.model_copy(update={"escape": "\\"})}
            ),
        )
        other = _read(body, whole, reading.dialect, escaped, '"')
        if other.even:
            return [other]
    opens = any(any(one.quoted) for one in reading.records)
    mark = re.escape(reading.dialect.delimiter)
    if not opens and not re.search(rf'(^|{mark})"', body, re.MULTILINE):
        plain = _read(body, whole, reading.dialect, base, "")
        if plain.even:
            return [plain]
    return [reading]


def _best(readings: list[_Reading], *, declared: bool) -> tuple[_Reading, str, tuple[str, ...]]:
    if declared:
        one = readings[0]
        return one, f"delimiter {one.dialect.delimiter!r} is declared", ()
    even = sorted((one for one in readings if one.even), key=lambda one: one.split_inside)
    if even:
        best = even[0]
        said = f"{len(best.records)} records of {best.width} fields with {best.dialect.delimiter!r}"
        if len(even) > 1 and (best.split_inside or not even[1].split_inside):
            other = even[1].dialect.delimiter
            return best, said, (f"{other!r} fits as well: declare csv: {{delimiter: ...}}",)
        return best, said, ()
    ragged = [one for one in readings if one.width > 1 or len(one.widths) > 1 or one.damage]
    if not ragged:
        return readings[0], "one value on each line", ()
    best = max(ragged, key=_share)
    said = f"{best.widths[best.width]} of {len(best.records)} records have {best.width} fields"
    if best.width < 2 or _share(best) < 0.5:
        return best, said, ("what separates the fields cannot be told: declare csv: {delimiter}",)
    return best, said, ()


def _share(reading: _Reading) -> float:
    widths = reading.widths
    total = max(sum(widths.values()), 1)
    return widths[reading.width] / total if reading.width > 1 else 0.0


def _preamble(best: _Reading, body: str) -> tuple[str, ...]:
    """Lines before the first of the usual width, which is mostly the header."""
    if _SEPARATOR.match(body):  # Excel's own line, which reads as a header with an empty name
        line = best.dialect.skip + 1
        return (f"line {line} names the delimiter: declare csv: {{skip: {line}}}",)
    before = 0
    for one in best.records:
        if len(one.fields) == best.width:
            break
        before += 1
    if not before or best.width < 2:
        return ()
    line = best.records[before].line - 1
    return (
        f"{line} lines before line {line + 1} have other fields: declare csv: {{skip: {line}}}",
    )


def _with_header(found: FileFormat, best: _Reading, dialect: CsvDialect) -> FileFormat:
    options = found.options
    first = best.records[0].fields if best.records else ()
    rest = best.records[1:]
    declared = tuple(options.columns) if options.columns is not None else None
    names = names_of(first)
    if options.csv.header is not None:
        header, reason, sure = options.csv.header, "header is declared", True
    elif declared is not None:
        header, reason = bool(set(names) & set(declared)), "compared with the columns"
        sure = header or _looks_like_data(first)
    else:
        header, reason, sure = _is_header(best.records[0] if best.records else None, rest)
    questions = found.questions
    if not sure:
        questions = (*questions, "whether the first line is a header: declare csv: {header: ...}")
    if not header:
        plain = declared if declared is not None and len(declared) == best.width else None
        names = plain or tuple(f"column_{n}" for n in range(1, best.width + 1))
    return dataclasses.replace(
        found,
        dialect=dataclasses.replace(dialect, header=header),
        names=names,
        reasons=(*found.reasons, reason),
        questions=questions,
    )


def _looks_like_data(fields: tuple[str, ...]) -> bool:
    forms = (_NUMBER, _DATE, _BOOLEAN)
    return any(form.fullmatch(one.strip()) for one in fields for form in forms)


def _is_header(first: Record | None, rest: list[Record]) -> tuple[bool, str, bool]:
    if first is None:
        return True, "nothing to judge by", False
    names = [one.strip() for one in first.fields]
    if _looks_like_data(first.fields):
        years = all(
            re.fullmatch(r"(19|20)[0-9]{2}", one) or not _looks_like_data((one,)) for one in names
        )
        if years and any(not _looks_like_data((one,)) and one for one in names):
            return True, "the first line may be years as names", False
        return False, "the first line holds numbers or dates", True
    if not rest:
        return True, "one line of texts alone", len(set(names)) == len(names)
    for column in range(len(names)):
        values = [one.fields[column] for one in rest if len(one.fields) > column]
        if names[column] in values:
            continue  # NA above numbers is rather a value than a name.
        typed = [one for one in values if _looks_like_data((one,))]
        if values and names[column] and len(typed) >= max(1, len([v for v in values if v]) // 2):
            return True, f"{names[column]!r} is above {typed[0]!r}", True
    return True, "all is text: nothing tells names from values", False
