"""Durations as they are written in YAML: ``30s``, ``15m``, ``1h``, ``2d``."""

from __future__ import annotations

import re

from sqlglot import exp

from etl_platform.transforms.steps.base import StepContext

_WRITTEN = re.compile(r"(\d{1,9})\s*(s|m|h|d)")
_UNITS = {"s": "SECOND", "m": "MINUTE", "h": "HOUR", "d": "DAY"}
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def interval(text: str, context: StepContext, option: str) -> exp.Interval:
    """A duration as a node of a tree.

    Raises:
        ConfigError: it is none.
    """
    found = _read(text, context, option)
    return exp.Interval(this=exp.Literal.string(found[1]), unit=exp.var(_UNITS[found[2]]))


def seconds(text: str, context: StepContext, option: str) -> int:
    """A duration in seconds.

    Raises:
        ConfigError: it is none.
    """
    found = _read(text, context, option)
    return int(found[1]) * _SECONDS[found[2]]


def _read(text: str, context: StepContext, option: str) -> re.Match[str]:
    found = _WRITTEN.fullmatch(text.strip())
    if found is None:
        raise context.fail(f"{option}: {text!r} is no duration", valid="30s, 15m, 1h, 2d")
    return found
