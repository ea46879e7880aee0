"""Tables of the lake as files in a folder or a bucket: whole versions, published by a manifest.

>>> from etl_platform.core.objects import open_store
>>> from etl_platform.sinks.files import Export, FileSink, table_version
>>> sink = FileSink(open_store("s3://bucket/exports"))                         # doctest: +SKIP
>>> sink.export(table_version(lake, table), Export("orders"))                 # doctest: +SKIP

Below an export's folder stand ``_manifest.json`` and, in a folder per version, the files that it
names. A version's files are all there before the manifest names them, and stay for a while after
another manifest has replaced it: who reads the files of one manifest reads one version.
"""

from __future__ import annotations

from etl_platform.sinks.files.export import Export, FileKind, TableVersion, table_version
from etl_platform.sinks.files.manifest import MANIFEST, ExportedFile, Manifest, read_manifest
from etl_platform.sinks.files.receipt import FileReceipt
from etl_platform.sinks.files.sink import FileSink

__all__ = [
    "MANIFEST",
    "Export",
    "ExportedFile",
    "FileKind",
    "FileReceipt",
    "FileSink",
    "Manifest",
    "TableVersion",
    "read_manifest",
    "table_version",
]
