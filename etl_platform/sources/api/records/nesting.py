"""Lists of objects as tables of their own, whose rows point back to where they were.

``orders`` with the key ``id`` and ``lines: [{"sku": ..., "taxes": [{...}]}]`` becomes three tables:

- the resource's own, without ``lines``;
- ``lines``: ``_parent_id``, ``_index_lines`` (from 0, the place in the list), ``sku``;
- ``lines__taxes``: ``_parent_id``, ``_index_lines``, ``_index_taxes``, ...

Lists within objects and lists of anything else stay columns. That a list was empty or null is told
by the absence of rows alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etl_platform.core.errors import ConfigError

if TYPE_CHECKING:
    import pyarrow as pa

PARENT, INDEX, SEPARATOR = "_parent_", "_index_", "__"


@dataclass(frozen=True, slots=True)
class ChildTable:
    """One table that a list of objects becomes.

    Attributes:
        path: names of the lists that lead to it.
        schema: its columns: the key's, the places', its own.
        key: the columns that identify a row.
    """

    path: tuple[str, ...]
    schema: pa.Schema
    key: tuple[str, ...]

    @property
    def name(self) -> str:
        """As the table is called behind the resource's name."""
        return SEPARATOR.join(self.path)


def is_child(kind: pa.DataType) -> bool:
    """Whether a column of this type becomes a table."""
    import pyarrow as pa

    return pa.types.is_list(kind) and pa.types.is_struct(kind.value_type)


def children(schema: pa.Schema, key: tuple[str, ...]) -> Iterator[ChildTable]:
    """All tables below one whose columns these are, those of the top first.

    Raises:
        ConfigError: a key is no column, or a list's own field has a name that is taken.
    """
    missing = [name for name in key if name not in schema.names]
    if missing:
        raise ConfigError(
            f"primary_key: there is no column {missing[0]!r}", valid=", ".join(schema.names)
        )
    above = [(PARENT + name, schema.field(name).type) for name in key]
    yield from _below(list(schema), above, ())


def _below(
    fields: list[pa.Field[Any]], above: list[tuple[str, pa.DataType]], path: tuple[str, ...]
) -> Iterator[ChildTable]:
    import pyarrow as pa

    for field in fields:
        if not is_child(field.type):
            continue
        inner: list[pa.Field[Any]] = list(field.type.value_type)
        own = [*above, (INDEX + field.name, pa.int64())]
        columns = [(one.name, one.type) for one in inner if not is_child(one.type)]
        names = [name for name, _ in (*own, *columns)]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ConfigError(
                f"nested: explode: two columns of {'.'.join((*path, field.name))} would be "
                f"called {twice!r}",
                fix="use nested: keep",
            )
        here = (*path, field.name)
        yield ChildTable(here, pa.schema([*own, *columns]), tuple(name for name, _ in own))
        yield from _below(inner, own, here)


def exploded(batch: pa.RecordBatch, key: tuple[str, ...], child: ChildTable) -> pa.RecordBatch:
    """The rows of a child table that a batch of the whole records holds."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    above: list[Any] = [batch.column(name) for name in key]
    fields: dict[str, Any] = dict(zip(batch.schema.names, batch.columns, strict=True))
    for name in child.path:
        lists = fields[name]
        rows = pc.list_parent_indices(lists)
        lengths = pc.list_value_length(lists).fill_null(0).to_numpy(zero_copy_only=False)
        starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
        place = pa.array(np.arange(len(rows)) - starts, pa.int64())
        above = [*(column.take(rows) for column in above), place]
        inner = pc.list_flatten(lists)
        fields = {one.name: pc.struct_field(inner, [at]) for at, one in enumerate(inner.type)}
    own = [fields[name] for name in child.schema.names[len(above) :]]
    return pa.RecordBatch.from_arrays([*above, *own], schema=child.schema)
