"""What stands out in a profile, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from etl_platform.quality.profile import ColumnProfile, Profile
from etl_platform.quality.reports.numbers import percent, shown

_MANY_NULLS = 0.5
_STRONG = 0.9
_MOST = 5
_ONE_VALUE = 0.95
_KINDS = {
    "card": "payment cards",
    "iban": "IBANs",
    "ip": "IP addresses",
    "email": "email addresses",
}


def findings(profile: Profile) -> list[str]:
    """Sentences about what a reader would want to know first; empty when nothing stands out."""
    if not profile.rows:
        return ["the table has no rows"]
    found = [sentence for column in profile.columns for sentence in _column(profile.rows, column)]
    return [*found, *_between(profile)]


def _column(rows: int, column: ColumnProfile) -> Iterator[str]:
    name, present = column.name, rows - column.nulls
    if not present:
        yield f"{name} is always null"
        return
    if column.nulls / rows >= _MANY_NULLS:
        yield f"{name} is null in {percent(column.nulls / rows)} of the rows"
    if column.distinct == 1 and present > 1:
        yield f"{name} has one value only" + (f": {shown(column.top[0][0])}" if column.top else "")
    elif column.top and column.top[0][1] / present >= _ONE_VALUE and column.dtype != "bool":
        value, count = column.top[0]
        yield f"{name} is {shown(value)} in {percent(count / present)} of its values"
    if column.pii:
        kind = _KINDS.get(column.pii, column.pii.replace("_", " ") + "s")
        yield f"{name} looks like {kind}: its values are masked here"
    for count, what in ((column.nan, "NaN"), (column.infinite, "infinite")):
        if count:
            yield f"{name} is {what} in {count:,} rows"
    if column.text and column.text.untidy and column.text.looked_at:
        share = percent(column.text.untidy / column.text.looked_at)
        yield f"{name} has blanks around the text or a placeholder such as n/a in {share} of values"
    if column.time and column.time.missing_days:
        first, last = column.time.gaps[0]
        longest = first if first == last else f"{first} to {last}"
        yield f"{name} lacks days ({column.time.missing_days:,}), the longest gap is {longest}"


def _between(profile: Profile) -> Iterator[str]:
    strong = [pair for pair in profile.correlations if abs(pair.r) >= _STRONG]
    for pair in strong[:_MOST]:
        yield f"{pair.left} and {pair.right} go together (r = {pair.r:.2f})"
    if len(strong) > _MOST:
        yield f"{len(strong) - _MOST:,} more pairs of columns go together as strongly"
    keys = [", ".join(key.columns) for key in profile.keys if key.evidence != "sampled"]
    if keys:
        yield f"a row may be identified by {' or by '.join(keys)}"
