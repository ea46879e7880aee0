"""Which objects are read together, and several groups side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from etl_platform.core.objects import ObjectInfo
from etl_platform.sources.files.together import SMALL_BYTES

_GROUP_FILES = 500
_GROUP_BYTES = 4 << 20
_WORKERS = 3
_Given = TypeVar("_Given")
_Made = TypeVar("_Made")


def groups(objects: Iterable[ObjectInfo]) -> Iterator[list[ObjectInfo]]:
    """Large objects one by one; small ones, of one kind of name and one after another, together."""
    group, size = list[ObjectInfo](), 0
    for one in objects:
        large = one.size_bytes > SMALL_BYTES
        if group and (
            large
            or size + one.size_bytes > _GROUP_BYTES
            or len(group) == _GROUP_FILES
            or kind_of(one) != kind_of(group[0])
        ):
            yield group
            group, size = [], 0
        if large:
            yield [one]
        else:
            group.append(one)
            size += one.size_bytes
    if group:
        yield group


def side_by_side(work: Callable[[_Given], _Made], given: Iterable[_Given]) -> Iterator[_Made]:
    """What comes of each, as it comes; a bounded number is begun and not taken."""
    waiting: set[Future[_Made]] = set()
    with ThreadPoolExecutor(_WORKERS) as pool:
        try:
            for one in given:
                waiting.add(pool.submit(work, one))
                if len(waiting) > _WORKERS:
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            for future in waiting:
                yield future.result()
        finally:
            for future in waiting:
                future.cancel()


def kind_of(info: ObjectInfo) -> str:
    """What a name ends with, from its first dot on: objects of one kind are written alike."""
    return info.key.rpartition("/")[2].partition(".")[2].lower()
