"""Servers that the stress tests harm, one of each kind for a module's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from etl_platform_tests.stress.victims import KINDS, Victim, serving


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[Victim]:
    with serving(request.param) as found:
        yield found
