"""The suites of the lake, on disk and on S3, beside each other."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

SUITES = (
    "lakehouse",
    "query/test_query_tool.py",
    "query/test_policies.py",
    "query/test_security.py",
    "query/test_audit.py",
    "publishing",
    "planner/lineage",
    "planner/rules/test_rollups.py",
    "monitoring/test_status.py",
    "generate/test_sampled.py",
    "test_io_manager.py",
    "test_platform.py",
)


def outcome(suite: str, place: str) -> tuple[str, str]:
    """What pytest's last line tells: the tests by their outcome, and the seconds."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", f"etl_platform_tests/{suite}", "--lake", place, "-q"],
        capture_output=True,
        text=True,
        check=False,
    )
    told = re.search(r"^(\d+ .*) in ([\d.]+)s", done.stdout, re.MULTILINE)
    assert told is not None, done.stdout[-2000:]
    counted = re.findall(r"\d+ (?:passed|failed|errors?|skipped)", told[1])
    return ", ".join(counted), told[2]


@pytest.mark.stress
@pytest.mark.timeout(3600)
def test_every_suite_of_the_lake_passes_on_s3_as_on_disk(
    capsys: pytest.CaptureFixture[str],
) -> None:
    different: list[str] = []
    for suite in SUITES:
        (disk, disk_s), (s3, s3_s) = outcome(suite, "disk"), outcome(suite, "s3")
        with capsys.disabled():
            print(f"\n{suite:30} disk: {disk} ({disk_s} s)  S3: {s3} ({s3_s} s)", end="")
        if disk != s3 or "failed" in disk or "error" in disk:
            different.append(suite)
    assert different == []
