"""What can go wrong between the lake and a target, beyond what every part can raise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl_platform.core.errors import PermanentError, TransientError

if TYPE_CHECKING:
    from etl_platform.sinks.database.gate import Finding


class TargetUnavailable(TransientError):
    """A target could not be reached, or dropped the connection: nothing of the load remains."""


class GateViolation(PermanentError):
    """The target cannot hold the rows as they are; nothing was sent.

    ``findings`` say which column, why, how many rows, and show some of them.
    """

    def __init__(self, target: str, findings: tuple[Finding, ...]) -> None:
        self.findings = findings
        shown = "\n".join(f"  - {finding}" for finding in findings)
        super().__init__(
            f"{target} cannot hold these rows, nothing was sent:\n{shown}",
            fix="repair the rows upstream, cast the columns, or change the target's columns",
        )
