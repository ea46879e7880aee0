"""What answers tell about the budget that the server keeps."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

_ITEM = re.compile(r"(?:^|[;,\s])(r|t|remaining|reset)\s*=\s*(\d+)", re.IGNORECASE)
_PREFIXES = ("ratelimit-", "x-ratelimit-", "x-rate-limit-")
_EPOCH_S, _EPOCH_MS = 1e9, 1e12


@dataclass(frozen=True, slots=True)
class Told:
    """Requests that are left, and seconds until there are new ones."""

    left: int
    reset_s: float


def told_by(headers: Mapping[str, str]) -> Told | None:
    """Read ``RateLimit`` (both forms of the IETF's drafts), ``RateLimit-*`` or ``X-RateLimit-*``.

    The time may be seconds from now, or of the epoch (GitHub), or milliseconds of it; those of the
    epoch are compared with the server's own ``Date``. Of several policies the tightest counts.
    """
    combined = headers.get("ratelimit")
    if combined is not None:
        return _combined(combined)
    for prefix in _PREFIXES:
        left = headers.get(prefix + "remaining")
        if left is not None:
            reset = headers.get(prefix + "reset", "")
            return _told(left.partition(",")[0], reset.partition(",")[0], headers)
    return None


def _combined(text: str) -> Told | None:
    # "default";r=50;t=30, "burst";r=3;t=1  or the older  limit=100, remaining=50, reset=5
    policies = [text] if "remaining" in text.lower() else text.split(",")
    found = list[Told]()
    for policy in policies:
        items = {name.lower(): value for name, value in _ITEM.findall(policy)}
        left, reset = items.get("r", items.get("remaining")), items.get("t", items.get("reset"))
        if left is not None and reset is not None:
            found.append(Told(int(left), float(reset)))
    return min(found, key=lambda told: told.left, default=None)


def _told(left: str, reset: str, headers: Mapping[str, str]) -> Told | None:
    try:
        count, moment = int(left), float(reset)
    except ValueError:
        return None
    if moment >= _EPOCH_MS:
        moment /= 1000
    if moment >= _EPOCH_S:
        try:
            now = parsedate_to_datetime(headers["date"]).timestamp()
        except (KeyError, ValueError):
            now = time.time()
        moment -= now
    return Told(count, max(0.0, moment))
