"""From what keys have in common back to a glob that means them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from etl_platform.generate.objects.addresses import Place
from etl_platform.generate.objects.grouping import Group
from etl_platform.sources.files.globs import glob

_SPECIAL = re.compile(r"[?\[{]")


def path_of(group: Group, place: Place, all_groups: Sequence[Group]) -> tuple[str, tuple[str, ...]]:
    """The glob of a group below the place's store, and other groups' keys that it means as well.

    Where ``*`` would mean other groups, only what begins with a digit is meant, if that still means
    all of this one.
    """
    if place.alone:
        return _SPECIAL.sub(r"[\g<0>]", place.prefix.replace("*", "[*]")), ()
    if place.pattern is not None and len(all_groups) == 1:
        return place.pattern.pattern, ()
    wide = _glob(group, group.pattern.stem)
    others = _others(wide, group, all_groups)
    narrow = _glob(group, group.pattern.stem.replace("*", "[0-9]*"))
    if others and all(glob(narrow).matches(one.key) for one in group.to_look_at()):
        fewer = _others(narrow, group, all_groups)
        if len(fewer) < len(others):
            return narrow, fewer
    return wide, others


def _glob(group: Group, stem: str) -> str:
    pattern = group.pattern
    folder, name = (
        _SPECIAL.sub(r"[\g<0>]", pattern.folder),
        "[0-9]".join(_SPECIAL.sub(r"[\g<0>]", part) for part in stem.split("[0-9]")),
    )
    endings = sorted(group.extensions)
    ending = endings[0] if len(endings) == 1 else f"{{{','.join(endings)}}}"
    return f"{folder}/{name}{ending}" if folder else f"{name}{ending}"


def _others(path: str, group: Group, all_groups: Sequence[Group]) -> tuple[str, ...]:
    meant = glob(path)
    return tuple(
        one.first.key
        for one in all_groups
        if one is not group and (meant.matches(one.first.key) or meant.matches(one.last.key))
    )
