"""How a masked column looks: SQL that stands in the place of the column."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from etl_platform.core.duck import literal

KEY_VARIABLE = "etl_mask_key"
"""The session variable with the key of hashes: so the key is in no plan, and queries, which may not
call ``getvariable``, cannot read it."""


class Partial(BaseModel):
    """Some characters of the text stay: ``{partial: {last: 4}}`` makes ``***4321``.

    At least as many characters as are shown have to stay hidden: a shorter text is ``***``
    altogether. What is hidden always looks the same, whatever its length.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    first: int = Field(default=0, ge=0, le=1000)
    last: int = Field(default=0, ge=0, le=1000)


class PartialMask(BaseModel):
    """The long form of a partial mask."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    partial: Partial


Mask: TypeAlias = Literal["hash", "redact"] | PartialMask


def masked_sql(mask: Mask, column: str, kind: str) -> str:
    """An expression over a quoted column; null stays null, and it never fails.

    * ``redact`` is a null of the column's type.
    * ``hash`` is SHA-256 in hex of the key followed by the value's text: equal values stay equal,
      so it can be joined, counted and grouped; without the key nobody can try likely values.
    * ``partial`` is a text, see :class:`Partial`.
    """
    text = f"CAST({column} AS VARCHAR)"
    if mask == "redact":
        return f"CAST(NULL AS {kind})"
    if isinstance(mask, PartialMask):
        first, last = mask.partial.first, mask.partial.last
        ends = [f"left({text}, {first})"] if first else []
        ends += [literal("***")]
        ends += [f"right({text}, {last})"] if last else []
        enough = f"length({text}) >= {2 * (first + last)}"
        return (
            f"CASE WHEN {column} IS NULL THEN NULL WHEN {enough} THEN {' || '.join(ends)} "
            f"ELSE {literal('***')} END"
        )
    return f"sha256(getvariable({literal(KEY_VARIABLE)}) || {text})"
