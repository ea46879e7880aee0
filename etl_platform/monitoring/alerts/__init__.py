"""Alerts without Dagster: signals, rules, decisions, notices in an outbox, and their delivery."""

from __future__ import annotations

from etl_platform.monitoring.alerts.alerting import Alerting, Taken
from etl_platform.monitoring.alerts.channels import Channel
from etl_platform.monitoring.alerts.decisions import Change, decide
from etl_platform.monitoring.alerts.delivery import Delivered, deliver
from etl_platform.monitoring.alerts.notices import Item, subject_of, text_of
from etl_platform.monitoring.alerts.quiet_hours import QuietHours
from etl_platform.monitoring.alerts.routes import Route
from etl_platform.monitoring.alerts.rules import Rule
from etl_platform.monitoring.alerts.signals import KINDS, Advice, Kind, Severity, Signal

__all__ = [
    "KINDS",
    "Advice",
    "Alerting",
    "Change",
    "Channel",
    "Delivered",
    "Item",
    "Kind",
    "QuietHours",
    "Route",
    "Rule",
    "Severity",
    "Signal",
    "Taken",
    "decide",
    "deliver",
    "subject_of",
    "text_of",
]
