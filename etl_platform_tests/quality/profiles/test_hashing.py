"""Hashes stand in kept profiles: a change of one digit makes years of them worthless."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_platform.quality.profiles.hashing import HASH_NAME, hashes

ZERO, ONE = 0xE220A8397B1DCDAF, 0x910A2DEC89025CC1
TEXTS = {
    "": ZERO,
    "a": 0x557870C4CCCF1474,
    "abcdefgh": 0x5F32E6FC8FCA8959,
    "abcdefghi": 0x0C009A1F0D3E82E1,
    "ü": 0x43AD68EF11EEDC2F,
    "x" * 100: 0x17E92138B002F404,
    "y" * 5000: 0x19DC5E9A0BC54574,
}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([0, 1, -1], pa.int64()), [ZERO, ONE, 0xE4D971771B652C20]),
        (pa.array([0, None, 1], pa.int16()), [ZERO, ONE]),
        (pa.array([False, True]), [ZERO, ONE]),
        (pa.array([date(1970, 1, 1), date(1970, 1, 2)], pa.date32()), [ZERO, ONE]),
        (pa.array([EPOCH, EPOCH + MICROSECOND], pa.timestamp("us", "UTC")), [ZERO, ONE]),
        (pa.array([-0.0, 1.5], pa.float32()), [ZERO, 0xD6DAB18E1392608A]),
        (pa.array([float("nan"), -float("nan")]), [0xC72971D82E15BB46] * 2),
        (
            pa.array([Decimal("1.50"), Decimal("-3.00")], pa.decimal128(15, 2)),
            [0x85DB4A006873013C, 0xDE6D37EAF36F510F],
        ),
        (pa.array(TEXTS, pa.string()), list(TEXTS.values())),
        (pa.array(TEXTS, pa.large_string()), list(TEXTS.values())),
        (pa.array([text.encode() for text in TEXTS], pa.binary()), list(TEXTS.values())),
    ],
    ids=lambda values: str(values.type) if isinstance(values, pa.Array) else "",
)
def test_hashes_are_those_of_every_earlier_release(values, expected):
    assert HASH_NAME == "splitmix64-fold/2"
    assert hashes(values).tolist() == expected


@given(st.lists(st.binary(max_size=40), max_size=30), st.integers(0, 30))
def test_a_value_has_the_same_hash_wherever_it_stands(texts, cut):
    together = hashes(pa.array(texts, pa.binary()))
    assert [hashes(pa.array([text], pa.binary()))[0] for text in texts] == together.tolist()
    assert hashes(pa.array(texts, pa.binary()).slice(cut)).tolist() == together[cut:].tolist()


@given(st.sets(st.binary(max_size=40), max_size=200))
def test_different_values_have_different_hashes(texts):
    assert len(np.unique(hashes(pa.array(list(texts), pa.binary())))) == len(texts)


def test_texts_that_differ_in_one_place_only_fill_the_range_evenly():
    padded = [f"{'x' * 20}{n:05d}{'y' * 11}" for n in range(20_000)]
    found = hashes(pa.array(padded, pa.string()))
    shares = np.bincount((found >> np.uint64(56)).astype(np.int64), minlength=256) / len(found)
    assert shares.min() > 0.5 / 256
    assert shares.max() < 1.6 / 256
