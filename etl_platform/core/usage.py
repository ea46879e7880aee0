"""What a piece of work took of the machine: time, processor, memory, bytes read and written.

Counted is this process: what ran beside the work in other threads is in it, too. Bytes are those
that system calls moved (``rchar`` and ``wchar`` of Linux' ``/proc/self/io``), from the network as
from disks; 0 where the system does not tell.
"""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

_KIB = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Usage:
    """``peak_memory_bytes`` is the process's highest resident size so far."""

    seconds: float
    cpu_s: float
    peak_memory_bytes: int
    read_bytes: int
    written_bytes: int

    @classmethod
    def now(cls) -> Usage:
        """All that this process has taken since it began; ``seconds`` count from any moment."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        read, written = _moved()
        return cls(
            seconds=time.monotonic(),
            cpu_s=used.ru_utime + used.ru_stime,
            peak_memory_bytes=used.ru_maxrss * _KIB,
            read_bytes=read,
            written_bytes=written,
        )

    def since(self, before: Usage) -> Usage:
        """What was taken after ``before``; the peak is that of the process."""
        return Usage(
            seconds=self.seconds - before.seconds,
            cpu_s=self.cpu_s - before.cpu_s,
            peak_memory_bytes=self.peak_memory_bytes,
            read_bytes=self.read_bytes - before.read_bytes,
            written_bytes=self.written_bytes - before.written_bytes,
        )


def _moved() -> tuple[int, int]:
    try:
        lines = Path("/proc/self/io").read_text("ascii").splitlines()
    except OSError:
        return 0, 0
    counts = dict(line.split(": ") for line in lines)
    return int(counts["rchar"]), int(counts["wchar"])
