"""Three versions of a text, by its lines: what was generated, what people made of it, and what
would be generated now (the algorithm of GNU diff3)."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher


def merged_text(base: str, ours: str, new: str) -> str | None:
    """The text with the changes of both; None where both changed the same lines.

    Lines that both sides only added at one place are both kept, people's first.
    """
    if ours == new or new == base:
        return ours
    if ours == base:
        return new
    before, mine, theirs = (text.splitlines(keepends=True) for text in (base, ours, new))
    to_mine, to_theirs = _same(before, mine), _same(before, theirs)
    found: list[str] = []
    at = at_mine = at_theirs = 0
    for line in [*range(len(before)), len(before)]:
        end = line == len(before)
        there = len(mine) if end else to_mine.get(line)
        here = len(theirs) if end else to_theirs.get(line)
        if there is None or here is None:
            continue
        piece = _piece(before[at:line], mine[at_mine:there], theirs[at_theirs:here])
        if piece is None:
            return None
        found += piece
        if not end:
            found.append(before[line])
        at, at_mine, at_theirs = line + 1, there + 1, here + 1
    return "".join(found)


def _piece(base: list[str], mine: list[str], theirs: list[str]) -> list[str] | None:
    if mine == theirs or theirs == base:
        return mine
    if mine == base:
        return theirs
    return [*mine, *theirs] if not base else None


def _same(before: Sequence[str], after: Sequence[str]) -> dict[int, int]:
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    return {
        one.a + offset: one.b + offset
        for one in matcher.get_matching_blocks()
        for offset in range(one.size)
    }
