"""From a place to its tables: list all, look at some, say what all would be."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from etl_platform.core.settings import Settings, get_settings
from etl_platform.generate.objects.addresses import Place
from etl_platform.generate.objects.estimating import estimate
from etl_platform.generate.objects.grouping import Group, group
from etl_platform.generate.objects.looking import Looked, look
from etl_platform.generate.objects.model import (
    BadObject,
    Column,
    LeftAside,
    ObjectsInspection,
    TableCandidate,
)
from etl_platform.generate.objects.paths import path_of
from etl_platform.generate.objects.patterns import table_name
from etl_platform.generate.objects.profiling import profile_rows, with_profile
from etl_platform.generate.objects.suspicions import of_columns, of_objects, of_partitions
from etl_platform.generate.objects.unifying import (
    Unified,
    aligned,
    form_text,
    read_options,
    unify_files,
)

if TYPE_CHECKING:
    import pyarrow as pa

MOST_TABLES = 50
_READERS_OF_A_BUCKET = 8


def inspect_objects(
    place: Place, most_tables: int = MOST_TABLES, settings: Settings | None = None, seed: int = 0
) -> ObjectsInspection:
    """List every object, and read the beginning of at most 14 of each table.

    Memory does not grow with the number of objects.

    Args:
        most_tables: the largest are looked into; the others are counted.
        seed: the same seed draws the same objects.

    Raises:
        StoreUnavailable, PermanentError: as the store raises them while it lists.
    """
    started = time.perf_counter()
    chosen = settings or get_settings()
    wanted = (info for info in place.store.list(place.prefix) if place.includes(info.key))
    listing = group(wanted, seed)
    listing_s = time.perf_counter() - started
    looked_into, rest = listing.groups[:most_tables], listing.groups[most_tables:]
    # Waiting for a bucket is what takes the time there; on a disk it is computing.
    readers = _READERS_OF_A_BUCKET if "://" in place.store.uri else chosen.threads
    with ThreadPoolExecutor(readers) as pool:
        tables = [
            _with_path(_table(one, place, pool, readers, chosen), one, place, listing.groups)
            for one in looked_into
        ]
    aside = list(listing.aside)
    if rest:
        aside.append(
            LeftAside(
                f"{len(rest):,} smaller tables that were not looked into",
                sum(one.objects for one in rest),
                sum(one.size_bytes for one in rest),
                rest[0].first.key,
            )
        )
    return ObjectsInspection(
        address=place.address,
        location=place.store.uri,
        objects=listing.objects,
        size_bytes=listing.size_bytes,
        tables=_named(tables),
        left_aside=tuple(aside),
        listing_s=listing_s,
        seconds=time.perf_counter() - started,
    )


def _table(
    found: Group, place: Place, pool: ThreadPoolExecutor, readers: int, settings: Settings
) -> TableCandidate:
    files = list(pool.map(lambda info: look(place.store, info), found.to_look_at()))
    good = [one for one in files if one.table is not None and one.problem is None]
    drawn = {info.key for info in found.drawn}
    rough = TableCandidate(
        name=table_name(found.pattern, place.store.uri.rpartition("/")[2]),
        pattern=found.pattern.text,
        objects=found.objects,
        size_bytes=found.size_bytes,
        oldest=found.oldest.modified,
        newest=found.newest.modified,
        partitions=found.partitions(),
        looked_at=len(files),
        forms=_forms(files),
        bad=tuple(BadObject(one.info.key, one.problem) for one in files if one.problem),
        questions=_questions(files),
        suspicions=(
            *of_objects(found, files, drawn),
            *of_partitions(found.partitions()),
        ),
        estimate=estimate(
            [one for one in good if one.info.key in drawn],
            found.objects,
            found.size_bytes,
            readers,
        ),
    )
    return _with_columns(rough, good, settings) if good else rough


def _with_path(
    rough: TableCandidate, found: Group, place: Place, groups: Sequence[Group]
) -> TableCandidate:
    path, others = path_of(found, place, groups)
    if not others:
        return replace(rough, path=path)
    clash = f"{path} means other files, too, such as {others[0]}: declare a narrower path"
    return replace(rough, path=path, suspicions=(*rough.suspicions, clash))


def _with_columns(
    rough: TableCandidate, good: Sequence[Looked], settings: Settings
) -> TableCandidate:
    import pyarrow as pa

    all_read = len(good) == rough.objects and all(
        one.counted and one.table is not None and one.table.num_rows == one.rows for one in good
    )
    unified = unify_files(good, all_read=all_read)
    rows: pa.Table = pa.concat_tables([aligned(one, unified.schema) for one in good])
    profile = profile_rows(rows, settings)
    columns = _columns(unified)
    if profile is not None:
        known = {one.name: one for one in profile.columns}
        columns = tuple(
            with_profile(one, known[one.name], profile.rows) if one.name in known else one
            for one in columns
        )
    return replace(
        rough,
        read=read_options([one.form for one in good if one.form is not None], unified.undecided),
        disagreements=unified.disagreements,
        suspicions=(*rough.suspicions, *of_columns(rows, rough.partitions)),
        columns=columns,
        sampled_rows=rows.num_rows,
        quality=None if profile is None or profile.score is None else profile.score.total,
        profile=profile,
    )


def _columns(unified: Unified) -> tuple[Column, ...]:
    return tuple(
        Column(
            field.name, str(field.type), unified.confidence[field.name], unified.notes[field.name]
        )
        for field in unified.schema
    )


def _forms(files: Sequence[Looked]) -> tuple[tuple[str, int], ...]:
    return tuple(
        Counter(form_text(one.form) for one in files if one.form is not None).most_common()
    )


def _questions(files: Sequence[Looked]) -> tuple[str, ...]:
    """Each once, with the first object that asks it."""
    asked: dict[str, str] = {}
    for one in files:
        for question in one.form.questions if one.form is not None else ():
            asked.setdefault(question, one.info.key)
    return tuple(f"{question} ({key})" for question, key in asked.items())


def _named(tables: Sequence[TableCandidate]) -> tuple[TableCandidate, ...]:
    """No two of the same name: the largest keeps it."""
    taken: Counter[str] = Counter()
    named: list[TableCandidate] = []
    for one in tables:
        taken[one.name] += 1
        count = taken[one.name]
        named.append(one if count == 1 else replace(one, name=f"{one.name}_{count}"))
    return tuple(named)
