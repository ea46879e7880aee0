"""What an audit found."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from etl_platform.core.errors import PermanentError
from etl_platform.core.names import TableName
from etl_platform.quality.profile import Profile
from etl_platform.quality.rules import Rule
from etl_platform.quality.values import JsonValue, shortened

Status: TypeAlias = Literal["passed", "failed", "not_run"]
SampleRow: TypeAlias = dict[str, JsonValue]

_MESSAGE_ROWS = 3
_MESSAGE_CHARACTERS = 240


@dataclass(frozen=True, slots=True)
class Outcome:
    """One rule's result on one batch.

    Attributes:
        failed_rows: rows that break the rule. 0 for a broken row_count, which blames no row. Of a
            passed rule: rows that its tolerance let by.
        checked_rows: rows of the batch, or those of them that meet the rule's ``where``; rows that
            a rule skips (nulls) count as checked and met.
        sample: at most 10 of the broken rows, whole, with values that JSON can hold and personal
            data masked.
        sql: DuckDB SQL that finds all broken rows while the staged files exist; None when no row is
            to blame or only Python can tell.
        lake_sql: SQL that finds them afterwards, by the lake's table names: in the quarantine, or
            among the published rows; None where nothing was published.
        reason: why the rule failed or was not run, in words.
    """

    rule: Rule
    status: Status
    failed_rows: int = 0
    checked_rows: int = 0
    sample: list[SampleRow] = field(default_factory=list[SampleRow])
    sql: str | None = None
    lake_sql: str | None = None
    reason: str = ""

    @property
    def share(self) -> float:
        """Share of the checked rows that break the rule, 0 to 1."""
        return self.failed_rows / self.checked_rows if self.checked_rows else 0.0

    @property
    def blocks(self) -> bool:
        """Whether nothing may be published because of this outcome.

        A rule that could not run blocks when breaking it would have kept rows from readers.
        """
        if self.status == "not_run":
            return self.rule.action != "warn"
        return self.status == "failed" and self.rule.action == "block"

    def as_dict(self) -> dict[str, JsonValue | list[SampleRow]]:
        """The outcome as JSON can hold it, with the rule by name."""
        return {
            "rule": self.rule.name,
            "kind": self.rule.kind,
            "description": self.rule.description,
            "severity": self.rule.severity,
            "action": self.rule.action,
            "status": self.status,
            "failed_rows": self.failed_rows,
            "checked_rows": self.checked_rows,
            "share": self.share,
            "reason": self.reason,
            "sql": self.lake_sql,
            "sample": self.sample,
        }

    def sentence(self) -> str:
        """The outcome in one line: rule, what it demands, how many rows, why."""
        text = f"{self.rule.name} ({self.rule.description}): "
        if self.status == "passed":
            tolerated = f", {self.failed_rows:,} tolerated" if self.failed_rows else ""
            return text + f"{'' if tolerated else 'all '}{self.checked_rows:,} rows{tolerated}"
        if self.status == "not_run":
            return text + f"not run, {self.reason}"
        if self.failed_rows:
            text += f"broken by {self.failed_rows:,} of {self.checked_rows:,} rows"
        return text + (f"{', ' if self.failed_rows else ''}{self.reason}" if self.reason else "")


@dataclass(frozen=True, slots=True)
class Audit:
    """Every rule's outcome and the profile of a batch.

    Attributes:
        kept_sql: SELECT of the rows that may be published; None when that is all of them.
        rejected_sql: SELECT of the rows to quarantine, whole, with ``_rule`` (comma-separated names
            of the rules that the row breaks) and ``_reason``; None when there are none.
        seconds: wall time of the audit.
        report: the file of the validation report, where one was kept.
    """

    table: TableName
    outcomes: tuple[Outcome, ...]
    profile: Profile
    seconds: float = 0.0
    kept_sql: str | None = None
    rejected_sql: str | None = None
    report: str | None = None

    @property
    def blocking(self) -> tuple[Outcome, ...]:
        """Outcomes because of which nothing may be published."""
        return tuple(outcome for outcome in self.outcomes if outcome.blocks)

    @property
    def quarantining(self) -> tuple[Outcome, ...]:
        """Outcomes, failed or tolerated, whose bad rows go to quarantine."""
        return tuple(
            outcome
            for outcome in self.outcomes
            if outcome.failed_rows and outcome.rule.action == "quarantine"
        )

    def outcomes_json(self) -> str:
        """The outcomes as a JSON array, in the contract's order."""
        return json.dumps([outcome.as_dict() for outcome in self.outcomes], ensure_ascii=False)


class ContractViolation(PermanentError):
    """A batch breaks a blocking rule; readers keep the last good version."""

    def __init__(self, audit: Audit) -> None:
        self.audit = audit
        blocking = audit.blocking
        rules = "1 rule" if len(blocking) == 1 else f"{len(blocking)} rules"
        lines = [f"{audit.table}: nothing was published, {rules} of the contract not met"]
        for outcome in blocking:
            lines.append(f"  {outcome.sentence()}")
            for row in outcome.sample[:_MESSAGE_ROWS]:
                text = json.dumps(_relevant_first(row, outcome.rule), ensure_ascii=False)
                lines.append(f"    {shortened(text, _MESSAGE_CHARACTERS)}")
        super().__init__(
            "\n".join(lines),
            fix="repair the rows in the source and run again; or, if they are legitimate, change "
            "the rule, or its action to quarantine (keep them aside) or warn (publish them)",
        )

    def __reduce__(self) -> tuple[type[ContractViolation], tuple[Audit]]:
        return (ContractViolation, (self.audit,))


def _relevant_first(row: SampleRow, rule: Rule) -> SampleRow:
    first = {column: row[column] for column in rule.columns if column in row}
    return first | row
