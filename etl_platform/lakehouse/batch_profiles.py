"""The kept profile of the rows that one version brought, whatever the version did."""

from __future__ import annotations

from etl_platform.core.errors import EtlError
from etl_platform.core.names import TableName
from etl_platform.lakehouse.profiles import FOLDER, kept_files
from etl_platform.lakehouse.root import Root
from etl_platform.quality import Profile


def profile_of_version(root: Root, table: TableName, version: int) -> Profile | None:
    """The full profile of a replacement, of a partition, or of a batch; None when none is kept.

    A file that cannot be read counts as none: what it would say is lost, not wrong.
    """
    below = f"{table.path}/{FOLDER}/"
    keys = [key for key, found in kept_files(root, below) if found == version]
    # Of an append the table's profile is kept too, which tells of more than its own rows.
    for key in sorted(keys, key=lambda key: key.startswith(f"{below}table/")):
        try:
            return Profile.from_bytes(root.store.read(key))
        except (EtlError, OSError, EOFError, ValueError):
            return None
    return None
