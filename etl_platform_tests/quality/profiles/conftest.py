"""Staged files and a full profile of them."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pytest

from etl_platform.quality import Profile
from etl_platform.quality.profiling import profile_staged

Profiled = Callable[..., Profile]


@pytest.fixture
def profiled(con, stage) -> Profiled:
    """``profiled(table, files=1)``: the full profile of an Arrow table, as it is staged."""

    def profile(table: pa.Table, files: int = 1, *, statistics: bool = True) -> Profile:
        return profile_staged(con, stage(table, files, statistics=statistics), "full")

    return profile
