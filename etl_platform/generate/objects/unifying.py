"""One schema out of many files', and every disagreement by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etl_platform.generate.objects.looking import ROWS, Looked
from etl_platform.sources.files.inference import common_type

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_platform.sources.files import FileFormat


@dataclass(frozen=True, slots=True)
class Unified:
    """Columns of all files together.

    Attributes:
        confidence: by column, see :class:`~etl_platform.generate.objects.model.Column`.
        notes: by column, what a declaration could make of it.
        undecided: columns of values that have no common type, and could be text.
    """

    schema: pa.Schema
    confidence: dict[str, float]
    notes: dict[str, tuple[str, ...]]
    disagreements: tuple[str, ...]
    undecided: tuple[str, ...]


def unify_files(files: Sequence[Looked], *, all_read: bool) -> Unified:
    """Join the schemas of files that could be read.

    Args:
        all_read: there are no other rows than those that were looked at.
    """
    import pyarrow as pa

    order: dict[str, list[tuple[Looked, pa.DataType]]] = {}
    for one in files:
        assert one.found is not None
        for field in one.found.schema:
            order.setdefault(field.name, []).append((one, field.type))
    fields: list[pa.Field[pa.DataType]] = []
    confidence: dict[str, float] = {}
    notes: dict[str, tuple[str, ...]] = {}
    told = list(_other_forms(files))
    undecided: list[str] = []
    for name, having in order.items():
        kind, agreeing = _joined([one for _, one in having])
        fields.append(pa.field(name, kind or pa.string()))
        if kind is None and not any(pa.types.is_nested(one) for _, one in having):
            undecided.append(name)
        told += _about(name, having, kind, files)
        values = sum(_values(one, name) for one, _ in having)
        # Rounding must not make certain what is not.
        sure = 1.0 if all_read else min(round(1 - 1 / (values + 1), 4), 0.9999)
        confidence[name] = round(sure * agreeing, 4)
        found = [one.found.notes.get(name) for one, _ in having if one.found is not None]
        notes[name] = tuple(dict.fromkeys(note for note in found if note is not None))
    return Unified(pa.schema(fields), confidence, notes, tuple(told), tuple(undecided))


def form_text(form: FileFormat) -> str:
    """A format in a few words: ``csv, gzip, ';', cp1252, no header``."""
    words: list[str] = [form.format]
    if form.compression != "none":
        words.append(form.compression)
    if form.dialect is not None:
        words.append("tab" if form.dialect.delimiter == "\t" else repr(form.dialect.delimiter))
        if not form.dialect.header:
            words.append("no header")
    if form.encoding != "utf-8":
        words.append(form.encoding)
    return ", ".join(words)


def read_options(forms: Sequence[FileFormat], undecided: Sequence[str]) -> dict[str, Any]:
    """What of the form should not be detected anew in every file: options of a file source.

    A file of one line does not tell its delimiter, nor whether it has a header.
    """
    options: dict[str, Any] = {}
    first = forms[0]
    if all(one.format == first.format for one in forms):
        options["format"] = first.format
    if first.encoding != "utf-8" and all(one.encoding == first.encoding for one in forms):
        options["encoding"] = first.encoding
    if first.dialect is not None and all(one.dialect == first.dialect for one in forms):
        told = first.dialect
        skip = {"skip": told.skip} if told.skip else {}
        options["csv"] = {"delimiter": told.delimiter, "header": told.header, **skip}
    if undecided:
        options["types"] = dict.fromkeys(undecided, "string")
    return options


def aligned(one: Looked, schema: pa.Schema) -> pa.Table:
    """The rows of a file in the common columns; what has no common type becomes text."""
    import pyarrow as pa

    table = one.table
    assert table is not None
    table = table.slice(0, ROWS)
    columns: list[pa.Array[pa.Scalar[pa.DataType]] | pa.ChunkedArray[pa.Scalar[pa.DataType]]] = []
    for field in schema:
        if field.name not in table.column_names:
            columns.append(pa.nulls(table.num_rows, field.type))
            continue
        column = table.column(field.name)
        try:
            columns.append(column.cast(field.type))
        except pa.ArrowException:
            columns.append(pa.nulls(table.num_rows, field.type))
    return pa.table(columns, schema=schema)


def _joined(kinds: Sequence[pa.DataType]) -> tuple[pa.DataType | None, float]:
    """The common type, and the share of files that have it, or the most frequent one."""
    joined: pa.DataType | None = kinds[0]
    for kind in kinds[1:]:
        joined = None if joined is None else common_type(joined, kind)
    if joined is not None:
        return joined, 1.0
    return None, max(sum(one.equals(kind) for one in kinds) for kind in kinds) / len(kinds)


def _values(one: Looked, name: str) -> int:
    if one.table is None or name not in one.table.column_names:
        return 0
    return one.table.num_rows - one.table.column(name).null_count


def _about(
    name: str,
    having: Sequence[tuple[Looked, pa.DataType]],
    kind: pa.DataType | None,
    files: Sequence[Looked],
) -> list[str]:
    told: list[str] = []
    by_type: dict[str, list[str]] = {}
    for one, found in having:
        by_type.setdefault(str(found), []).append(one.info.key)
    if len(by_type) > 1:
        listed = sorted(by_type.items(), key=lambda entry: -len(entry[1]))
        shown = ", ".join(f"{text} in {_files(keys)}" for text, keys in listed)
        meant = "no common type, declare one" if kind is None else f"{kind} holds all"
        told.append(f"column {name!r}: {shown}; {meant}")
    there = {one.info.key for one, _ in having}
    missing = [one.info.key for one in files if one.info.key not in there]
    if missing:
        told.append(f"column {name!r} is not in {_files(missing)}")
    return told


def _other_forms(files: Sequence[Looked]) -> list[str]:
    """Files that are written in another way than most."""
    by_form: dict[str, list[str]] = {}
    for one in files:
        assert one.form is not None
        by_form.setdefault(form_text(one.form), []).append(one.info.key)
    if len(by_form) < 2:
        return []
    listed = sorted(by_form.items(), key=lambda entry: -len(entry[1]))
    return ["written as " + "; ".join(f"{text} in {_files(keys)}" for text, keys in listed)]


def _files(keys: Sequence[str]) -> str:
    if len(keys) == 1:
        return keys[0]
    return f"{len(keys)} files ({keys[0]}{', ...' if len(keys) > 1 else ''})"
