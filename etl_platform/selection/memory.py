"""How far this process's memory grows while something runs, from Linux's own high-water mark.

See ``proc_pid_clear_refs(5)``: writing 5 resets the mark. Where that is not possible the growth is
unknown, not zero.
"""

from __future__ import annotations

from pathlib import Path

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")


class PeakGrowth:
    """Growth since it was made, in bytes."""

    def __init__(self) -> None:
        self._before = _status_bytes("VmRSS") if _reset() else None

    def size_bytes(self) -> int | None:
        """The largest growth so far; None where the system does not tell."""
        peak = _status_bytes("VmHWM")
        if self._before is None or peak is None:
            return None
        return max(0, peak - self._before)


def _reset() -> bool:
    try:
        _RESET.write_text("5")
    except OSError:
        return False
    return True


def _status_bytes(field: str) -> int | None:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return None
