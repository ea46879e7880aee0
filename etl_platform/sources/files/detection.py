"""What a file is, from its content; its name only decides between what the content allows.

What the content cannot tell becomes a question, and a format with questions is not read: a guess
at an encoding, a delimiter or a header that is wrong would give wrong data without any error.
"""

from __future__ import annotations

import codecs
import dataclasses
import re

from etl_platform.sources.files.compression import compression_of, zip_members
from etl_platform.sources.files.errors import BadFile
from etl_platform.sources.files.formats.csv.dialect import detect_csv
from etl_platform.sources.files.models import FileFormat, FileSample
from etl_platform.sources.files.options import CompressionName, FileOptions, FormatName
from etl_platform.sources.files.sampling import opened, plain_head
from etl_platform.sources.files.text import BOMS

_BINARY: tuple[tuple[bytes, FormatName], ...] = (
    (b"PAR1", "parquet"),
    (b"Obj\x01", "avro"),
    (b"PK\x03\x04", "xlsx"),  # within another compression; the workbook's reader looks closer
)


def detect(sample: FileSample, options: FileOptions | None = None) -> FileFormat:
    """How a file is to be read.

    Raises:
        BadFile: it is empty, cannot be decompressed, or is none of the formats.
    """
    chosen = options or FileOptions()
    where = sample.uri
    if not sample.head:
        raise BadFile(where, "the file is empty (0 bytes)")
    found: CompressionName = compression_of(sample.head)
    members = zip_members(opened(sample), where) if found == "zip" else []
    if "[Content_Types].xml" in members and any(name.startswith("xl/") for name in members):
        found, binary = "none", "xlsx"
    else:
        binary = None
    if chosen.compression is not None and chosen.compression != found:
        raise BadFile(where, f"compression: {chosen.compression} is declared, and it is {found}")
    reasons = [f"begins as {binary or found} does"] if binary or found != "none" else []
    if binary == "xlsx":
        return _agreed(FileFormat("xlsx", "none", reasons=tuple(reasons), options=chosen), where)
    member = chosen.member
    if found == "zip":
        if member is None and len(members) == 1:
            member = members[0]
        elif member not in members:
            raise BadFile(
                where,
                f"the zip holds {len(members)} files: {', '.join(members[:5])}",
                fix="declare member, or store the files one by one",
            )
    head, whole = plain_head(sample, found, member)
    base = FileFormat("csv", found, member=member, reasons=tuple(reasons), options=chosen)
    return _agreed(_of_content(head, whole, base, where), where)


def _of_content(head: bytes, whole: bool, base: FileFormat, where: str) -> FileFormat:
    options = base.options
    for magic, name in _BINARY:
        if head.startswith(magic):
            return dataclasses.replace(base, format=name, reasons=(*base.reasons, f"{magic!r}"))
    if not head.strip(b"\0"):
        raise BadFile(where, "the file holds nothing but zeros, or is empty")
    base, text = _decoded(head, whole, base, where)
    if not text.strip():
        raise BadFile(where, "the file holds only blanks")
    name = options.format or _text_format(text)
    if name in {"ndjson", "json"}:
        return dataclasses.replace(base, format=name, reasons=(*base.reasons, "begins as JSON"))
    if name != "csv":
        raise BadFile(where, f"format: {name} is declared, and it does not begin as one")
    if text.lstrip()[:1] == "<" and options.format is None:
        raise BadFile(
            where,
            f"HTML or XML: {text.lstrip()[:40]!r}",
            fix="format: csv if this is delimited text all the same",
        )
    return detect_csv(text, whole, base, where)


def _text_format(text: str) -> FormatName:
    start = text.lstrip()
    if start[0] == "[" and re.match(r"\[\s*([\[{\]\"0-9tfn-])", start):
        return "json"
    if start[0] == "{":
        first = start.split("\n", 1)[0].rstrip()
        return "ndjson" if _is_object(first) else "json"
    return "csv"


def _is_object(line: str) -> bool:
    import msgspec

    try:
        msgspec.json.decode(line.encode("utf-8", "surrogatepass"), type=msgspec.Raw)
    except msgspec.DecodeError:
        return False
    return line.endswith("}")


def _decoded(head: bytes, whole: bool, base: FileFormat, where: str) -> tuple[FileFormat, str]:
    declared = base.options.encoding
    marked = next((name for mark, name in BOMS if head.startswith(mark)), None)
    if declared is not None and marked is None:
        name, reason = declared, f"encoding {declared} is declared"
    elif marked is not None:
        name, reason = marked, f"a byte order mark of {marked}"
        if declared is not None and not declared.replace("-", "").startswith(
            marked.replace("-", "")
        ):
            raise BadFile(where, f"encoding: {declared} is declared, its mark says {marked}")
    elif (wide := _wide(head)) is not None:
        name, reason = wide, f"zeros at every other byte: {wide}"
    else:
        name, reason = "utf-8", "all bytes are UTF-8"
    decoder = codecs.getincrementaldecoder(name)()
    questions = base.questions
    try:
        text = decoder.decode(head, final=whole)
    except UnicodeDecodeError as error:
        line = head[: error.start].count(b"\n") + 1
        if name != "utf-8" or declared is not None or marked is not None:
            bad = head[error.start : error.end].hex(" ")
            raise BadFile(where, f"bytes {bad} are not {name}", line=line) from error
        guess = _guess(head)
        questions = (*questions, f"line {line} is not UTF-8: declare encoding ({guess}?)")
        name, reason = guess, f"not UTF-8; {guess} is a guess"
        text = head.decode(guess, "replace")
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise BadFile(where, "a NUL character: binary, or damaged", line=line)
    text = text.removeprefix("\ufeff")
    reasons = (*base.reasons, reason)
    return dataclasses.replace(base, encoding=name, reasons=reasons, questions=questions), text


def _wide(head: bytes) -> str | None:
    """UTF-16 without a mark: mostly ASCII, each beside a zero."""
    some = head[:4096]
    if len(some) < 4:
        return None
    even, odd = some[0::2].count(0) / len(some[0::2]), some[1::2].count(0) / len(some[1::2])
    if odd > 0.7 and even < 0.1:
        return "utf-16-le"
    return "utf-16-be" if even > 0.7 and odd < 0.1 else None


def _guess(head: bytes) -> str:
    try:
        head.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1"
    return "cp1252"


def _agreed(found: FileFormat, where: str) -> FileFormat:
    declared = found.options.format
    if declared is not None and declared != found.format:
        raise BadFile(where, f"format: {declared} is declared, and its content is {found.format}")
    confidence = min(found.confidence, 0.5) if found.questions else found.confidence
    return dataclasses.replace(found, confidence=confidence)


def refuse_questions(form: FileFormat, where: str) -> None:
    """Raise for a format that the content did not tell.

    Raises:
        BadFile: there are questions.
    """
    if form.questions:
        raise BadFile(where, "; ".join(form.questions), fix="declare what cannot be told")
