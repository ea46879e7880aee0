"""Profiles of parts into the profile of the whole, without reading data."""

from __future__ import annotations

from collections.abc import Sequence

from etl_platform.core.errors import PermanentError
from etl_platform.quality.profile import (
    CandidateKey,
    Correlation,
    Dependency,
    Profile,
)
from etl_platform.quality.profiles.column import Column
from etl_platform.quality.profiles.comoments import CoMoments
from etl_platform.quality.profiles.describe import describe
from etl_platform.quality.profiles.relations import single_keys
from etl_platform.quality.profiles.score import column_parts, score
from etl_platform.quality.profiles.sketch import ColumnSketch, Family, ProfileSketch


def merge_profiles(profiles: Sequence[Profile]) -> Profile:
    """See :meth:`Profile.merge`.

    A column that a part lacks (it was added later) counts as null there. Keys of one column are
    judged anew; pairs of columns and dependencies stay when every part with rows shows them.
    """
    sketches = [_sketch(profile) for profile in profiles]
    if not sketches:
        raise PermanentError("there is no profile to merge", valid="one or more full profiles")
    if len({s.hash_name for s in sketches}) > 1:
        raise PermanentError(
            "the profiles' distinct counts were made with different hashes: "
            + ", ".join(sorted({s.hash_name for s in sketches})),
            fix="profile the older parts again",
        )
    names = list(dict.fromkeys(c.name for s in sketches for c in s.columns))
    rows = sum(profile.rows for profile in profiles)
    columns = [_column(name, profiles, sketches) for name in names]
    described = tuple(describe(column) for column in columns)
    kept = tuple(column.freeze() for column in columns)
    comoments = _comoments(sketches)
    filled = [p for p in profiles if p.rows]
    cells = rows * len(names)
    rules = [
        part
        for profile in profiles
        if profile.score
        for part in profile.score.parts
        if part.name in ("validity", "uniqueness")
    ]
    return Profile(
        rows=rows,
        size_bytes=sum(profile.size_bytes for profile in profiles),
        columns=described,
        level="full",
        correlations=correlations(comoments),
        keys=tuple(_keys(described, rows, filled)),
        dependencies=tuple(_dependencies(filled)),
        score=score([*column_parts(cells, sum(c.nulls for c in kept), kept), *rules]),
        sketch=ProfileSketch(hash_name=sketches[0].hash_name, columns=kept, comoments=comoments),
    )


def correlations(comoments: CoMoments | None) -> tuple[Correlation, ...]:
    """Correlations from their sums, strongest first."""
    if comoments is None:
        return ()
    found = [
        Correlation(left=left, right=right, r=r, rows=rows)
        for left, right, r, rows in comoments.correlations()
    ]
    return tuple(sorted(found, key=lambda c: -abs(c.r)))


def _sketch(profile: Profile) -> ProfileSketch:
    if profile.sketch is None:
        raise PermanentError(
            f"a profile of {profile.rows:,} rows has no sketches to merge",
            valid="profiles of level full, read from their file",
            fix="set profile: full on the asset and materialise it again",
        )
    return profile.sketch


def _column(name: str, profiles: Sequence[Profile], sketches: Sequence[ProfileSketch]) -> Column:
    parts: list[ColumnSketch] = []
    absent = 0
    for profile, sketch in zip(profiles, sketches, strict=True):
        own = next((c for c in sketch.columns if c.name == name), None)
        if own is None:
            absent += profile.rows
        else:
            parts.append(own)
    types = {(part.family, _scale(part)): part.dtype for part in parts}
    if len(types) > 1:
        raise PermanentError(
            f"column {name!r} has not one type in all profiles: {', '.join(types.values())}",
            fix="profile the older parts again",
        )
    merged = Column.merge(parts)
    if not absent:
        return merged
    fields = merged.fields.model_copy(
        update={"rows": merged.fields.rows + absent, "nulls": merged.fields.nulls + absent}
    )
    return Column(fields, merged.counts, merged.distinct, merged.quantiles)


def _scale(fields: ColumnSketch) -> str:
    """Decimals of another scale have other hashes."""
    return fields.dtype.rpartition(",")[2] if fields.family is Family.DECIMAL else ""


def _comoments(sketches: Sequence[ProfileSketch]) -> CoMoments | None:
    merged: CoMoments | None = None
    for sketch in sketches:
        if sketch.comoments is not None:
            merged = sketch.comoments if merged is None else merged.merge(sketch.comoments)
    return merged


def _keys(columns: Sequence[object], rows: int, filled: Sequence[Profile]) -> list[CandidateKey]:
    single = single_keys(tuple(columns), rows)  # pyright: ignore[reportArgumentType]
    # A column that repeats a value in one part repeats it in the whole.
    in_all = _in_all([{k.columns for k in p.keys} for p in filled])
    kept = [key for key in single if key.columns in in_all]
    return kept or [
        CandidateKey(columns=pair, evidence="sampled") for pair in sorted(in_all) if len(pair) > 1
    ]


def _in_all(sets: list[set[tuple[str, ...]]]) -> set[tuple[str, ...]]:
    return set.intersection(*sets) if sets else set()


def _dependencies(filled: Sequence[Profile]) -> list[Dependency]:
    found = _in_all([{(d.determinant, d.dependent) for d in p.dependencies} for p in filled])
    looked = sum(max((d.sampled_rows for d in p.dependencies), default=0) for p in filled)
    return [Dependency(determinant=a, dependent=b, sampled_rows=looked) for a, b in sorted(found)]
