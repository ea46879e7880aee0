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

from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from etl_platform.core.names import TableName
from etl_platform.core.objects import ObjectMissing
from etl_platform.lakehouse.log import Snapshot, partition_text
from etl_platform.lakehouse.receipt import Mode, Receipt
from etl_platform.lakehouse.root import Root
from etl_platform.quality import Profile

FOLDER = "_profiles"
_SUFFIX = ".json.gz"
_DIGITS = 12


def write_profile(
    root: Root,
    table: TableName,
    receipt: Receipt,
    profile: Profile,
    partition: Mapping[str, Any] | None = None,
    earlier: Profile | None = None,
) -> str | None:
    """Keep the profile of the rows that a version brought; None for one without sketches.

    Returns where it is.

    Args:
        earlier: of an append, the table's profile before: the whole is merged from both and kept.
    """
    if profile.sketch is None:
        return None
    folder, name = _folder(table), _name(receipt.version_after)
    if receipt.mode is Mode.REPLACE:
        return _write(root, f"{folder}/table/{name}", profile)
    if receipt.mode is Mode.REPLACE_PARTITION and partition:
        return _write(root, f"{folder}/partition/{place_of(partition)}/{name}", profile)
    written = _write(root, f"{folder}/batch/{name}", profile)
    if receipt.mode is Mode.APPEND:
        whole = profile if earlier is None else Profile.merge([earlier, profile])
        if whole.rows == receipt.rows_total:
            _write(root, f"{folder}/table/{name}", whole)
    return written


def read_part(
    root: Root, table: TableName, version: int, partition: Mapping[str, Any] | None = None
) -> Profile | None:
    """The profile of the rows that a version brought: of a partition, or of a batch."""
    folder, name = _folder(table), _name(version)
    if partition:
        return _read(root, f"{folder}/partition/{place_of(partition)}/{name}")
    return _read(root, f"{folder}/batch/{name}") or _read(root, f"{folder}/table/{name}")


def table_profile(root: Root, snapshot: Snapshot) -> Profile | None:
    """The profile of a table at one version, from what was kept; None when something lacks.

    Reads no data. A compaction changes no row and a revert brings back an earlier version: both are
    followed. Partitions are merged from the newest profile of each.
    """
    folder = _folder(snapshot.table)
    partitions: list[int] = []
    for version, mode in _lineage(snapshot):
        if mode is Mode.REPLACE_PARTITION:
            partitions.append(version)
            continue
        if not partitions:
            return _read(root, f"{folder}/table/{_name(version)}")
        if mode is not Mode.REPLACE:
            return None
        break
    wanted = set(partitions)
    newest: dict[str, int] = {}
    for key, version in kept_files(root, f"{folder}/partition/"):
        place = key.rpartition("/")[0]
        if version in wanted:
            newest[place] = max(version, newest.get(place, version))
    found = [_read(root, f"{place}/{_name(v)}") for place, v in sorted(newest.items())]
    parts = [part for part in found if part is not None]
    # Rows of a version that was not profiled would be missing.
    if not parts or sum(part.rows for part in parts) != snapshot.rows:
        return None
    return Profile.merge(parts)


def partition_profile(
    root: Root, snapshot: Snapshot, partition: Mapping[str, Any]
) -> Profile | None:
    """The profile of one partition at a version; None when its rows came without one."""
    folder = f"{_folder(snapshot.table)}/partition/{place_of(partition)}"
    for version, mode in _lineage(snapshot):
        if mode is not Mode.REPLACE_PARTITION:
            return None
        found = _read(root, f"{folder}/{_name(version)}")
        if found is not None:
            rows = sum(file.rows for file in snapshot.within(partition))
            return found if found.rows == rows else None
    return None


def forget_profiles(root: Root, table: TableName, kept: Collection[int]) -> list[str]:
    """Delete profiles that no kept version needs; returns paths below the table's folder.

    Of the whole table and of each partition the newest one at the oldest kept version stays.
    """
    oldest = min(kept)
    places: dict[str, list[int]] = {}
    for key, version in kept_files(root, f"{_folder(table)}/"):
        places.setdefault(key.rpartition("/")[0], []).append(version)
    removed: list[str] = []
    for place, versions in places.items():
        batches = place.endswith("/batch")
        newest = max((v for v in versions if v <= oldest), default=oldest)
        removed += [
            f"{place}/{_name(version)}"
            for version in versions
            if (version not in kept if batches else version < newest)
        ]
    root.store.delete(removed)
    return [key.removeprefix(f"{table.path}/") for key in removed]


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


def kept_files(root: Root, below: str) -> Iterator[tuple[str, int]]:
    """The keys of kept profiles, and the version that each belongs to."""
    for file in root.store.list(below):
        name = file.key.rpartition("/")[2].removesuffix(_SUFFIX)
        if name.isdigit():
            yield file.key, int(name)


def _folder(table: TableName) -> str:
    return f"{table.path}/{FOLDER}"


def _name(version: int) -> str:
    return f"{version:0{_DIGITS}d}{_SUFFIX}"


def _write(root: Root, key: str, profile: Profile) -> str:
    root.store.put(key, profile.to_bytes())
    return f"{root.uri}/{key}"


def _read(root: Root, key: str) -> Profile | None:
    try:
        return Profile.from_bytes(root.store.read(key))
    except ObjectMissing:
        return None
