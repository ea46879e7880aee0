"""Files that no manifest names any more, or never named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

from etl_platform.core.errors import EtlError
from etl_platform.core.objects import ObjectInfo, ObjectStore
from etl_platform.sinks.files.manifest import DATA, Manifest, Retired

_VERSION = re.compile(rf"{DATA}/v\d+-[0-9a-f]{{32}}")
UNFINISHED = timedelta(days=1)
"""How old files have to be before they are taken for those of an export that was killed."""


def sweep(
    store: ObjectStore, folder: str, manifest: Manifest, grace: timedelta, now: datetime
) -> tuple[int, tuple[Retired, ...], str | None]:
    """Remove versions whose grace is over, and what exports that never ended left behind.

    Nothing is removed but folders that exports made. Returns how many files went, the retired
    versions that are still there, and why something could not be removed.
    """
    retired = {one.folder: one for one in manifest.retired}
    kept: list[Retired] = []
    removed = 0
    try:
        for version, files in _versions(store, folder):
            if version == manifest.folder:
                continue
            known = retired.get(version)
            if known is not None and now < known.at + grace:
                kept.append(known)
            elif known is not None or _abandoned(files, now, max(grace, UNFINISHED)):
                store.delete(one.key for one in files)
                _remove_folders(store, files)
                removed += len(files)
    except EtlError as error:
        # The version that is visible is whole, whatever stands beside it.
        return removed, tuple(manifest.retired), error.what
    return removed, tuple(kept), None


def _versions(store: ObjectStore, folder: str) -> Iterator[tuple[str, list[ObjectInfo]]]:
    cut = len(folder) + 1

    def version(info: ObjectInfo) -> str:
        return "/".join(info.key[cut:].split("/")[:2])

    for name, files in groupby(store.list(f"{folder}/{DATA}/"), version):
        if _VERSION.fullmatch(name):
            yield name, list(files)


def _abandoned(files: list[ObjectInfo], now: datetime, after: timedelta) -> bool:
    return max(one.modified for one in files) + after <= now.astimezone(UTC)


def _remove_folders(store: ObjectStore, files: list[ObjectInfo]) -> None:
    """On a disk, folders outlive what was in them."""
    if "://" in store.uri:
        return
    for folder in {Path(one.key).parent for one in files}:
        path = Path(store.uri, folder)
        while path.parent.name != DATA and _removed(path):
            path = path.parent
        _removed(path)


def _removed(path: Path) -> bool:
    try:
        path.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False  # Something else is in it.
    return True
