"""What a folder of models makes and reads, before anything about other tables is known."""

from __future__ import annotations

from pathlib import Path

from etl_platform.core.errors import EtlError
from etl_platform.core.names import TableName
from etl_platform.planner import parse, tables_of
from etl_platform.transforms.header import read_header


def scan(root: Path, default_schema: str) -> tuple[frozenset[str], frozenset[TableName]]:
    """The schemas of the tables that the files make, and every table that they read.

    A file that cannot be read here is left out: loading the models explains what is wrong with it.
    """
    schemas = {default_schema}
    reads: set[TableName] = set()
    for path in sorted(root.rglob("*.sql")):
        where = str(path)
        text = path.read_text(encoding="utf-8")
        try:
            header = read_header(text, where).header
            reads |= tables_of(parse(text, header.dialect, where=where), where=where)
        except EtlError:
            continue
        if header.name is not None:
            schemas.add(header.name.partition(".")[0])
        elif path.parent != root:
            schemas.add(path.parent.name)
    return frozenset(schemas), frozenset(reads)
