"""The kept profile of the rows that one version brought, whatever the version did."""

from __future__ import annotations

from pathlib import Path

from etl_platform.core.names import TableName
from etl_platform.lakehouse.profiles import FOLDER
from etl_platform.quality import Profile


def profile_of_version(root: str, table: TableName, version: int) -> Profile | None:
    """The full profile of a replacement, of a partition, or of a batch; None when none is kept.

    A file that cannot be read counts as none: what it would say is lost, not wrong.
    """
    folder = Path(root) / table.path / FOLDER
    files = [f for f in folder.glob(f"**/*{version}.json.gz") if _version(f) == version]
    # Of an append the table's profile is kept too, which tells of more than its own rows.
    for file in sorted(files, key=lambda f: f.parent.name == "table"):
        try:
            return Profile.from_bytes(file.read_bytes())
        except (OSError, EOFError, ValueError):
            return None
    return None


def _version(file: Path) -> int:
    return int(file.name.partition(".")[0])
