"""DuckDB sessions mean the same on every machine."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("session", ["connect", "sealed"])
def test_a_session_and_its_cursors_are_in_utc_wherever_the_machine_stands(session: str) -> None:
    program = f"""
from etl_platform.core.duck import {session}
con = {session}()
for one in (con, con.cursor()):
    print(one.execute("SELECT epoch('2013-07-01 00:00'::TIMESTAMPTZ)").fetchone()[0])
"""
    there = {**os.environ, "TZ": "America/New_York"}
    ran = subprocess.run(
        [sys.executable, "-c", program], env=there, check=True, capture_output=True, text=True
    )
    assert ran.stdout.split() == ["1372636800.0"] * 2
