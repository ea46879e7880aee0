from __future__ import annotations

import pytest

from etl_platform.catalog.words import inert, terms, words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("cust_addr_sk", ["customer", "address", "surrogate", "key"]),
        ("orderQtyTotal", ["order", "quantity", "total"]),
        ("HTTPStatus2", ["http", "status", "2"]),
        ("Größe", ["größe"]),
    ],
)
def test_identifiers_are_split_and_abbreviations_spelled_out(text: str, found: list[str]) -> None:
    assert words(text) == found


def test_forms_of_a_word_are_one_term() -> None:
    assert terms("the orders we ordered") == terms("order, ordering")


@pytest.mark.parametrize("steering", ["\x1b[2J", "\u202e", "\x00", "\u200b", "\r\n", "\x9b31m"])
def test_nothing_that_steers_a_terminal_stays(steering: str) -> None:
    assert inert(f"a{steering}b").replace("[2J", "").replace("31m", "").split() == ["a", "b"]
