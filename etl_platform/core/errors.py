"""One hierarchy for everything that can go wrong.

Whether a retry can help is in the type: :class:`PermanentError` is never retried,
:class:`TransientError` is retried with backoff. Every error says what arrived, what is valid and
the next step; none carries a secret.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from etl_platform.core.redaction import hide


class EtlError(Exception):
    """Base of all errors of the platform.

    Args:
        what: what happened and where, one sentence, with the received value.
        valid: what would have been accepted, if that can be said.
        fix: the next step for the person who reads this.
    """

    def __init__(self, what: str, *, valid: str | None = None, fix: str | None = None) -> None:
        # Messages of drivers stand in here, and drivers repeat what they connect with.
        self.what = hide(what)
        self.valid = valid and hide(valid)
        self.fix = fix and hide(fix)
        super().__init__(self._text())

    def _text(self) -> str:
        lines = [self.what]
        if self.valid:
            lines.append(f"  valid: {self.valid}")
        if self.fix:
            lines.append(f"  next step: {self.fix}")
        return "\n".join(lines)


class PermanentError(EtlError):
    """The same call fails the same way again: never retried."""


class TransientError(EtlError):
    """A later call may succeed (network, lock, restart): retried with backoff."""


class ConfigError(PermanentError):
    """A setting, YAML file or argument is not usable."""


class SecretError(PermanentError):
    """A secret reference is malformed or does not resolve. Never carries the secret."""


class UnknownName(PermanentError):
    """A table, column or option does not exist; carries the nearest valid one.

    Args:
        kind: what was looked up, for example ``"table"``.
        name: the name that was asked for.
        known: every valid name.
        where: file and line, or the statement that asked.
    """

    def __init__(
        self, kind: str, name: str, known: Iterable[str], *, where: str | None = None
    ) -> None:
        self.kind = kind
        self.name = name
        self.known = tuple(sorted(known))
        self.nearest = nearest(name, self.known)
        place = f"{where}: " if where else ""
        shown = ", ".join(self.known[:20]) + (", ..." if len(self.known) > 20 else "")
        super().__init__(
            f"{place}unknown {kind} {name!r}",
            valid=shown or f"there is no {kind} yet",
            fix=f"did you mean {self.nearest!r}?" if self.nearest else None,
        )


class UnsupportedType(PermanentError):
    """A column's type has no lossless place in the lake."""


class SchemaMismatch(PermanentError):
    """Data and table disagree in a way that is not a safe evolution."""


class QueryRefused(PermanentError):
    """A statement that the query tool does not run."""


class LimitExceeded(PermanentError):
    """A query would take, or took, more than it may: rows, seconds, memory, bytes read."""


class QueryCancelled(PermanentError):
    """A query was stopped by whoever asked it."""


class ConcurrentWrite(TransientError):
    """Other writers kept winning the race for the next version of a table."""


class SourceUnavailable(TransientError):
    """A source could not be reached or dropped the connection."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the valid name closest to ``name``, or None when nothing is close."""
    candidates = list(known)
    folded = {candidate.lower(): candidate for candidate in candidates}
    found = get_close_matches(name.lower(), folded, n=1, cutoff=0.5)
    return folded[found[0]] if found else None
