"""Where full profiles are kept: files in ``_profiles`` beside the table's data.

``table/<version>``
    of the whole table, after a replacement, and after an append to a table that has one.
``partition/<column=value>/<version>``
    of a partition that a version replaced; the table's profile is merged from them when asked for.
``batch/<version>``
    of the rows of an append or upsert alone.

Readers of Delta do not look into folders whose names begin with an underscore.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from etl_platform.core.names import TableName
from etl_platform.lakehouse.log import Snapshot, partition_text
from etl_platform.lakehouse.receipt import Mode, Receipt
from etl_platform.quality import Profile

FOLDER = "_profiles"
_SUFFIX = ".json.gz"
_DIGITS = 12


def write_profile(
    root: str,
    table: TableName,
    receipt: Receipt,
    profile: Profile,
    partition: Mapping[str, Any] | None = None,
    earlier: Profile | None = None,
) -> Path | None:
    """Keep the profile of the rows that a version brought; None for one without sketches.

    Args:
        earlier: of an append, the table's profile before: the whole is merged from both and kept.
    """
    if profile.sketch is None:
        return None
    folder, name = _folder(root, table), _name(receipt.version_after)
    if receipt.mode is Mode.REPLACE:
        return _write(folder / "table" / name, profile)
    if receipt.mode is Mode.REPLACE_PARTITION and partition:
        return _write(folder / "partition" / place_of(partition) / name, profile)
    written = _write(folder / "batch" / name, profile)
    if receipt.mode is Mode.APPEND:
        whole = profile if earlier is None else Profile.merge([earlier, profile])
        if whole.rows == receipt.rows_total:
            _write(folder / "table" / name, whole)
    return written


def read_part(
    root: str, table: TableName, version: int, partition: Mapping[str, Any] | None = None
) -> Profile | None:
    """The profile of the rows that a version brought: of a partition, or of a batch."""
    folder = _folder(root, table)
    if partition:
        place = folder / "partition" / place_of(partition) / _name(version)
        return _read(place) if place.exists() else None
    places = (folder / "batch" / _name(version), folder / "table" / _name(version))
    return next((_read(place) for place in places if place.exists()), None)


def table_profile(root: str, snapshot: Snapshot) -> Profile | None:
    """The profile of a table at one version, from what was kept; None when something lacks.

    Reads no data. A compaction changes no row and a revert brings back an earlier version: both are
    followed. Partitions are merged from the newest profile of each.
    """
    folder = _folder(root, snapshot.table)
    partitions: list[int] = []
    for version, mode in _lineage(snapshot):
        if mode is Mode.REPLACE_PARTITION:
            partitions.append(version)
            continue
        if not partitions:
            whole = folder / "table" / _name(version)
            return _read(whole) if whole.exists() else None
        if mode is not Mode.REPLACE:
            return None
        break
    newest: dict[Path, int] = {}
    for version in partitions:
        for file in folder.glob(f"partition/*/{_name(version)}"):
            newest.setdefault(file.parent, version)
    parts = [_read(place / _name(version)) for place, version in sorted(newest.items())]
    # Rows of a version that was not profiled would be missing.
    if not parts or sum(part.rows for part in parts) != snapshot.rows:
        return None
    return Profile.merge(parts)


def partition_profile(
    root: str, snapshot: Snapshot, partition: Mapping[str, Any]
) -> Profile | None:
    """The profile of one partition at a version; None when its rows came without one."""
    folder = _folder(root, snapshot.table) / "partition" / place_of(partition)
    for version, mode in _lineage(snapshot):
        if mode is not Mode.REPLACE_PARTITION:
            return None
        if (folder / _name(version)).exists():
            found = _read(folder / _name(version))
            rows = sum(file.rows for file in snapshot.within(partition))
            return found if found.rows == rows else None
    return None


def forget_profiles(root: str, table: TableName, kept: Collection[int]) -> list[str]:
    """Delete profiles that no kept version needs; returns paths below the table's folder.

    Of the whole table and of each partition the newest one at the oldest kept version stays.
    """
    folder = _folder(root, table)
    oldest = min(kept)
    removed: list[str] = []
    for file in sorted(folder.rglob(f"*{_SUFFIX}")):
        version = _version(file)
        needed = version in kept if file.parent.name == "batch" else version >= oldest
        if not needed and file.parent.name != "batch":
            needed = version == max(v for v in _versions(file.parent) if v <= oldest)
        if not needed:
            file.unlink()
            removed.append(str(file.relative_to(folder.parent)))
    return removed


def place_of(partition: Mapping[str, Any]) -> str:
    """The name of a partition's folder: ``column=value``, URL-encoded."""
    return "&".join(
        f"{quote(c, safe='')}={quote(partition_text(v) or '', safe='')}"
        for c, v in partition.items()
    )


def _lineage(snapshot: Snapshot) -> Iterator[tuple[int, Mode]]:
    """Versions whose rows the snapshot may hold, newest first, with what each did."""
    commits = {commit.version: commit.receipt for commit in snapshot.history()}
    version = snapshot.version
    while version in commits:
        receipt = commits[version]
        if receipt is None or receipt.mode is Mode.COMPACT:
            version -= 1
        elif receipt.mode is Mode.REVERT:
            version = int((receipt.batch or "").rpartition(" ")[2])
        else:
            yield version, receipt.mode
            version -= 1


def _folder(root: str, table: TableName) -> Path:
    return Path(root) / table.path / FOLDER


def _name(version: int) -> str:
    return f"{version:0{_DIGITS}d}{_SUFFIX}"


def _version(file: Path) -> int:
    return int(file.name.removesuffix(_SUFFIX))


def _versions(folder: Path) -> list[int]:
    return [_version(file) for file in folder.glob(f"*{_SUFFIX}")]


def _write(path: Path, profile: Profile) -> Path:
    """Whole or not at all: written beside, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{uuid.uuid4().hex}")
    beside.write_bytes(profile.to_bytes())
    beside.replace(path)
    return path


def _read(path: Path) -> Profile:
    return Profile.from_bytes(path.read_bytes())
