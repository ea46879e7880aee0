"""Patterns of keys."""

from __future__ import annotations

import pytest

from etl_platform.core.errors import ConfigError
from etl_platform.sources.files.globs import glob

KEYS = [
    "a.csv", "in/1.csv", "in/1.csv.gz", "in/_SUCCESS", "in/.1.csv", "in/deep/er/2.csv",
    "in/x[1].csv", "other/1.csv", "in/a-b.txt",
]  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "prefix", "meant"),
    [
        ("in/*.csv", "in/", ["in/1.csv", "in/x[1].csv"]),
        ("in/**/*.csv", "in/", ["in/1.csv", "in/deep/er/2.csv", "in/x[1].csv"]),
        ("**/*.csv", "", ["a.csv", "in/1.csv", "in/deep/er/2.csv", "in/x[1].csv", "other/1.csv"]),
        ("in/**", "in/", [k for k in KEYS if k.startswith("in/") and "/_" not in k
                          and "/." not in k]),
        ("in/1.{csv,csv.gz}", "in/1.", ["in/1.csv", "in/1.csv.gz"]),
        ("in/?.csv", "in/", ["in/1.csv"]),
        ("in/[a-c]-b.txt", "in/", ["in/a-b.txt"]),
        ("in/[!0-9]*", "in/", ["in/a-b.txt", "in/x[1].csv"]),
        ("in/_*", "in/_", ["in/_SUCCESS"]),
        ("a.csv", "a.csv", ["a.csv"]),
    ],
)  # fmt: skip
def test_a_pattern_means_these_keys(pattern: str, prefix: str, meant: list[str]) -> None:
    found = glob(pattern)
    assert found.prefix == prefix
    assert sorted(key for key in KEYS if found.matches(key)) == sorted(meant)
    assert all(key.startswith(found.prefix) for key in meant)


@pytest.mark.parametrize("pattern", ["", "/a", "../a", "a//b", "a/"])
def test_a_pattern_that_leads_out_of_the_folder_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigError, match="no pattern"):
        glob(pattern)
