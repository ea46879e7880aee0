"""Check digits accept published examples and refuse every number with one digit changed."""

from __future__ import annotations

import pytest

from etl_platform.quality.identifiers import (
    compact,
    is_card,
    is_iban,
    luhn,
    national_id_countries,
)

PUBLISHED = {
    "es": ("12345678Z", "X1234567L"),
    "it": ("RSSMRA85T10A562S",),
    "fr": ("255081416802538", "180126955222380"),
    "de": ("86095742719", "47036892816"),
    "pl": ("44051401359", "02070803628"),
    "nl": ("111222333", "123456782"),
    "se": ("811218-9876", "19811218-9876"),
    "fi": ("131052-308T",),
    "br": ("111.444.777-35", "529.982.247-25"),
    "cn": ("11010519491231002X",),
    "gb_nhs": ("943 476 5919",),
    "ca": ("130 692 544",),
}
CARDS = (
    *("4111 1111 1111 1111", "5555-5555-5555-4444", "378282246310005", "6011111111111117"),
    *("30569309025904", "3530111333300000", "2223003122003222"),
)
IBANS = ("DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432", "NO9386011117947")


@pytest.mark.parametrize(
    ("country", "number"), [(c, n) for c, numbers in PUBLISHED.items() for n in numbers]
)
def test_a_published_example_passes_and_one_changed_digit_does_not(
    country: str, number: str
) -> None:
    plain = compact(number)
    assert country in national_id_countries(plain)
    changed = [
        plain[:at] + str((int(char) + 1) % 10) + plain[at + 1 :]
        for at, char in enumerate(plain)
        if char.isdigit()
    ]
    passed = [one for one in changed if country in national_id_countries(one)]
    # Sweden's century is not covered by the check digit.
    assert [one for one in passed if country != "se" or len(one) != 12] == []


@pytest.mark.parametrize("number", CARDS)
def test_cards_need_luhn_and_an_issuer(number: str) -> None:
    plain = compact(number)
    assert is_card(plain)
    assert not is_card(plain[:-1] + str((int(plain[-1]) + 1) % 10))
    assert luhn("9" * 16) is False
    assert not is_card("0" * 16)


@pytest.mark.parametrize("number", IBANS)
def test_an_iban_with_two_characters_exchanged_is_none(number: str) -> None:
    plain = compact(number)
    assert is_iban(plain)
    swapped = plain[:-3] + plain[-2] + plain[-3] + plain[-1]
    assert swapped == plain or not is_iban(swapped)
