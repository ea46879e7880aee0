"""What an export did."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileReceipt:
    """Files, rows and bytes are those of the version that is visible now.

    Attributes:
        target: address of the export's folder.
        source_version: version of the lake's table ``source`` that the files hold.
        skipped: why nothing was written; None where it was.
        removed_files: of earlier versions and of exports that were never finished.
        not_removed: why some of those could not be removed; the export stands.
    """

    target: str
    source: str
    source_version: int
    format: str
    folder: str
    files: int
    rows: int
    size_bytes: int
    seconds: float
    skipped: str | None = None
    removed_files: int = 0
    not_removed: str | None = None
