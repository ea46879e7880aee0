"""Personal columns are found by values and names, others are not, and masks give nobody away."""

from __future__ import annotations

import random
from importlib.resources import files

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_platform.quality.identifiers import luhn
from etl_platform.quality.pii import PiiKind, classify, mask, mask_rows

RANDOM = random.Random(4)
PEOPLE = ["Ada Lovelace", "Grace Hopper", "Maria de la Cruz", "Jean-Luc Picard", "John O'Brien"]


def cards(count: int) -> list[str]:
    bodies = [f"4{RANDOM.randrange(10**14):014d}" for _ in range(count)]
    return [next(b + str(d) for d in range(10) if luhn(b + str(d))) for b in bodies]


@pytest.mark.parametrize(
    ("name", "dtype", "samples", "kind"),
    [
        ("contact", "string", ["ada@example.org", "grace.hopper@navy.mil", None], PiiKind.EMAIL),
        ("note", "string", ["called"] * 3 + ["ask bob@example.com", "ok", "no"], PiiKind.EMAIL),
        ("x", "string", ["+49 30 901820", "+1 212 555 0100", "(212) 555-0123"] * 2, None),
        ("x", "string", [f"(212) 555-01{n}" for n in range(10, 20)], PiiKind.PHONE),
        ("x", "string", [f"+4930 9018{n}" for n in range(10, 20)], PiiKind.PHONE),
        ("phone", "string", ["2125550100", "2125550101"], PiiKind.PHONE),
        ("homePhone", "int64", [2125550100, 2125550101], PiiKind.PHONE),
        ("c_phone", "string", ["25-989-741-2988", "23-768-687-3665"], PiiKind.PHONE),
        ("x", "string", cards(20), PiiKind.CARD),
        ("x", "int64", [int(card) for card in cards(20)], PiiKind.CARD),
        ("card_number", "string", [*cards(1), "unknown", "none"], PiiKind.CARD),
        ("x", "string", ["DE89 3704 0044 0532 0130 00", "other"], PiiKind.IBAN),
        ("x", "string", [f"219-09-99{n}" for n in range(10, 30)], PiiKind.NATIONAL_ID),
        ("ssn", "string", ["219099999"], PiiKind.NATIONAL_ID),
        ("passport_no", "string", ["C01X00T47", "C01X00T48"], PiiKind.NATIONAL_ID),
        ("x", "string", [f"10.0.0.{n}" for n in range(9)], PiiKind.IP),
        ("x", "string", [f"2001:db8::{n}" for n in range(9)], PiiKind.IP),
        ("client_ip", "string", ["192.0.2.1", "192.0.2.2"], PiiKind.IP),
        ("last_name", "string", ["Lovelace", "Hopper", "O'Brien", "Müller"], PiiKind.PERSON_NAME),
        ("firstName", "string", ["Ada", "Zoë", "李"], PiiKind.PERSON_NAME),
        ("name", "string", PEOPLE, PiiKind.PERSON_NAME),
        ("customer_name", "string", PEOPLE, PiiKind.PERSON_NAME),
        ("street", "string", ["12 Main Street", "Hauptstraße 5"], PiiKind.ADDRESS),
        ("billing_address", "string", ["1600 Amphitheatre Pkwy, CA"], PiiKind.ADDRESS),
    ],
)
def test_a_column_is_classified(
    name: str, dtype: str, samples: list[object], kind: PiiKind | None
) -> None:
    assert classify(name, dtype, samples) == kind


@pytest.mark.parametrize("table", ["flights", "planes", "airports", "airlines", "weather"])
def test_no_column_of_the_flights_data_is_personal(table: str) -> None:
    path = files("etl_platform.demo").joinpath("data", f"{table}.parquet")
    frame = pl.read_parquet(str(path))
    for rows in (20, 2_000):
        sample = frame.sample(min(rows, frame.height), seed=4)
        found = {name: classify(name, "string", sample[name].to_list()) for name in sample.columns}
        found |= {
            f"{name} as it is": classify(name, str(dtype), sample[name].to_list())
            for name, dtype in sample.schema.items()
        }
        assert {name: kind for name, kind in found.items() if kind} == {}


@pytest.mark.parametrize(
    ("name", "dtype", "samples"),
    [
        ("at", "string", [f"2013-01-{n:02}" for n in range(1, 29)]),
        ("at", "string", [f"01.{n:02}.2013" for n in range(1, 13)]),
        ("id", "int64", list(range(10**8, 10**8 + 500))),
        ("id", "int64", list(range(4 * 10**15, 4 * 10**15 + 500))),
        ("uuid", "string", [f"123e4567-e89b-12d3-a456-4266141740{n:02}" for n in range(50)]),
        ("sha", "string", [f"{RANDOM.randrange(16**16):016x}" for _ in range(50)]),
        ("price", "float64", [float(card) for card in cards(20)]),
        ("price", "string", [f"{RANDOM.randrange(10**5) / 100:.2f}" for _ in range(50)]),
        ("sku", "string", [f"{RANDOM.randrange(10**8):08d}" for _ in range(50)]),
        ("version", "string", [f"1.2.3.{n}" for n in range(20)]),
        ("product_name", "string", ["Red Chair", "Blue Table", "Green Lamp"]),
        ("ip_address", "string", ["localhost", "gateway"]),
        ("email_address_verified", "string", ["yes", "no"]),
        ("placed_at", "timestamp", ["2125550100"]),
        ("empty", "string", [None, "", "  "]),
    ],
)
def test_what_only_looks_alike_is_not_personal(
    name: str, dtype: str, samples: list[object]
) -> None:
    assert classify(name, dtype, samples) is None


@pytest.mark.parametrize(
    ("value", "kind", "shown"),
    [
        ("ada@example.org", PiiKind.EMAIL, "a***@***.org"),
        ("please ask ada@example.org", PiiKind.EMAIL, "***"),
        ("+49 30 901820", PiiKind.PHONE, "+** ** ****20"),
        (2125550100, PiiKind.PHONE, "********00"),
        ("5555-5555-5555-4444", PiiKind.CARD, "****-****-****-4444"),
        ("DE89 3704 0044 0532 0130 00", PiiKind.IBAN, "DE** **** **** **** **** **"),
        ("219-09-9999", PiiKind.NATIONAL_ID, "***-**-****"),
        ("192.0.2.7", PiiKind.IP, "192.*.*.*"),
        ("2001:db8::1", PiiKind.IP, "*:*"),
        ("Ada Lovelace", PiiKind.PERSON_NAME, "A*** L***"),
        ("12 Main Street", PiiKind.ADDRESS, "*** *** ***"),
    ],
)
def test_a_mask_keeps_the_shape(value: object, kind: PiiKind, shown: str) -> None:
    assert mask(value, kind) == shown


@given(st.text(max_size=60) | st.integers() | st.emails(), st.sampled_from(PiiKind))
def test_a_mask_shows_little_of_anything(value: object, kind: PiiKind) -> None:
    text = str(value).strip()
    shown = mask(value, kind)
    ending = text.rpartition(".")[2] if kind is PiiKind.EMAIL else ""
    words = len(text.split()) if kind is PiiKind.PERSON_NAME else 0
    kept = sum(char.isalnum() for char in shown.removesuffix(ending))
    assert kept <= max(4, words)
    assert "*" in shown


def test_rows_are_masked_by_column_and_nulls_stay() -> None:
    rows = [{"id": 1, "mail": "ada@example.org", "tel": None}, {"id": 2, "mail": ["x"], "tel": 1}]
    kinds = {"mail": PiiKind.EMAIL, "tel": PiiKind.PHONE, "absent": PiiKind.CARD}
    assert mask_rows(rows, kinds) == [
        {"id": 1, "mail": "a***@***.org", "tel": None},
        {"id": 2, "mail": "***", "tel": "***"},
    ]
