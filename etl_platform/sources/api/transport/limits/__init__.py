"""What all processes of a machine together ask of an API."""

from __future__ import annotations

from etl_platform.sources.api.transport.limits.budget import Budget, open_budget

__all__ = ["Budget", "open_budget"]
