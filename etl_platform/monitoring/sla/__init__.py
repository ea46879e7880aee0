"""SLA without Dagster: what was expected by when, when it came, and how often in time."""

from __future__ import annotations

from etl_platform.monitoring.sla.judging import Due, Kept, judge
from etl_platform.monitoring.sla.report import compliance, html_report, picture

__all__ = ["Due", "Kept", "compliance", "html_report", "judge", "picture"]
