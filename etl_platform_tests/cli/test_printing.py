"""Units, and values that JSON cannot hold."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal

import pytest

from etl_platform.cli.printing import age, print_json, printable, size


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (None, ""),
        (0, "0 B"),
        (999, "999 B"),
        (1500, "1.5 kB"),
        (10**9, "1.0 GB"),
        (10**19, "10000.0 PB"),
    ],
)
def test_sizes_are_in_powers_of_1000(size_bytes: int | None, text: str) -> None:
    assert size(size_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0.4, "0 s"), (59, "59 s"), (60, "1 min"), (7200, "2 h"), (86_400 * 3, "3 d")],
)
def test_ages_are_in_the_largest_unit_that_fits(seconds: float | None, text: str) -> None:
    assert age(seconds) == text


def test_control_characters_are_shown_not_sent() -> None:
    assert printable("a\x1b]0;title\x07\r\n\x9b") == r"a\x1b]0;title\x07\x0d\n\x9b"
    assert printable("grüße 🦆") == "grüße 🦆"


def test_json_has_no_value_that_a_reader_could_misread(capsys: pytest.CaptureFixture[str]) -> None:
    print_json(
        {
            "exact": Decimal("0.1"),
            "whole": Decimal(340282366920938463463374607431768211455),
            "too fine": Decimal("0.12345678901234567890"),
            "infinite": float("inf"),
            "bytes": b"\x00\xff",
            "day": date(2024, 2, 29),
            "span": timedelta(minutes=90),
            "nested": [{"deep": Decimal("1.50")}],
        }
    )
    text = capsys.readouterr().out
    assert json.loads(text, parse_constant=pytest.fail) == {
        "exact": 0.1,
        "whole": 340282366920938463463374607431768211455,
        "too fine": "0.12345678901234567890",
        "infinite": "inf",
        "bytes": "00ff",
        "day": "2024-02-29",
        "span": "1:30:00",
        "nested": [{"deep": 1.5}],
    }
