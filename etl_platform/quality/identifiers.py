"""Check digits of cards, accounts and national identity numbers.

Every function takes the number without spaces, dots and dashes, letters in upper case, and says
whether it is well formed and its check digits are right. A random number passes a single check
digit about once in ten: one match proves nothing, a column full of them does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from types import MappingProxyType

_SEPARATORS = re.compile(r"[\s.\-/\u00a0]")
_CARD = re.compile(
    # Issuer prefixes and lengths of Visa, Mastercard, Amex, Diners, Discover, JCB and UnionPay.
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"
    r"|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}|6(?:011|5\d\d|4[4-9]\d)\d{12}"
    r"|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}"
)
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")
_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
_HETU_LETTERS = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_FISCAL_ODD = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        [
            *(1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21),
            *(2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
        ],
        strict=True,
    )
)


def compact(text: str) -> str:
    """The number as it is checked: without separators, in upper case."""
    return _SEPARATORS.sub("", text).upper()


def luhn(digits: str) -> bool:
    """The check digit of ISO/IEC 7812-1 (US patent 2,950,048).

    >>> luhn("4111111111111111"), luhn("4111111111111112")
    (True, False)
    """
    doubled = "0246813579"
    total = sum(int(doubled[int(d)]) if n % 2 else int(d) for n, d in enumerate(reversed(digits)))
    return total % 10 == 0


def is_card(number: str) -> bool:
    """A payment card: issuer's prefix, its length, and Luhn."""
    return _CARD.fullmatch(number) is not None and luhn(number) and len(set(number)) > 1


def is_iban(number: str) -> bool:
    """An account by ISO 13616: country, two check digits by ISO 7064 mod 97-10, up to 30 more.

    >>> is_iban("DE89370400440532013000"), is_iban("DE89370400440532013001")
    (True, False)
    """
    if not _IBAN.fullmatch(number):
        return False
    return int("".join(str(int(c, 36)) for c in number[4:] + number[:4])) % 97 == 1


def _weighted(digits: str, weights: Sequence[int]) -> int:
    return sum(int(d) * w for d, w in zip(digits, weights, strict=False))


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _spain(number: str) -> bool:
    """DNI and NIE: the letter is the number modulo 23."""
    digits = str("XYZ".find(number[0])) + number[1:8] if number[0] in "XYZ" else number[:8]
    return _DNI_LETTERS[int(digits) % 23] == number[8]


def _italy(number: str) -> bool:
    """Codice fiscale (Decreto Ministeriale 23/12/1976)."""
    even = sum(int(c) if c.isdigit() else ord(c) - 65 for c in number[1:15:2])
    return chr(65 + (even + sum(_FISCAL_ODD[c] for c in number[0:15:2])) % 26) == number[15]


def _france(number: str) -> bool:
    """NIR: 97 minus the number modulo 97; Corsica counts as 19 and 18."""
    body = number[:13].replace("2A", "19", 1).replace("2B", "18", 1)
    return body.isdigit() and 97 - int(body) % 97 == int(number[13:])


def _germany(number: str) -> bool:
    """Steuerliche Identifikationsnummer: ISO 7064 mod 11,10; one digit repeats in the first ten."""
    product = 10
    for digit in number[:10]:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    repeated = len(set(number[:10])) in (8, 9)
    return repeated and (11 - product) % 10 == int(number[10])


def _poland(number: str) -> bool:
    """PESEL: a date of birth whose month says the century, and a weighted check digit."""
    month = int(number[2:4])
    year = (1900, 2000, 2100, 2200, 1800)[month // 20] + int(number[:2])
    total = _weighted(number, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1))
    return total % 10 == 0 and _is_date(year, month % 20, int(number[4:6]))


def _netherlands(number: str) -> bool:
    """BSN: the elfproef."""
    return _weighted(number, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0 and int(number) > 0


def _sweden(number: str) -> bool:
    """Personnummer: a date of birth and Luhn over the last ten digits."""
    short = number[-10:]
    day = int(short[4:6]) % 60  # a coordination number adds 60
    return luhn(short) and _is_date(2000, int(short[2:4]), day)


def _finland(number: str) -> bool:
    """Henkilötunnus: date and serial number modulo 31."""
    digits = number[:6] + number[-4:-1]
    letter = _HETU_LETTERS[int(digits) % 31]
    return letter == number[-1] and _is_date(2000, int(number[2:4]), int(number[:2]))


def _brazil(number: str) -> bool:
    """CPF: two check digits modulo 11."""
    if len(set(number)) == 1:
        return False
    first = _weighted(number, range(10, 1, -1)) * 10 % 11 % 10
    second = _weighted(number, range(11, 1, -1)) * 10 % 11 % 10
    return number[9:] == f"{first}{second}"


def _china(number: str) -> bool:
    """Resident identity number (GB 11643-1999): ISO 7064 mod 11-2."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    born = _is_date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    return born and "10X98765432"[_weighted(number[:17], weights) % 11] == number[17]


def _nhs(number: str) -> bool:
    """NHS number: weights 10 to 2 modulo 11."""
    return len(set(number)) > 1 and _weighted(number, range(10, 0, -1)) % 11 == 0


NATIONAL_IDS: Mapping[str, tuple[re.Pattern[str], Callable[[str], bool]]] = MappingProxyType(
    {
        "es": (re.compile(r"[XYZ\d]\d{7}[A-Z]"), _spain),
        "it": (re.compile(r"[A-Z]{6}[0-9LMNP-V]{2}[A-EHLMPR-T][0-9A-Z]{2}[A-Z]\w{3}[A-Z]"), _italy),
        "fr": (re.compile(r"[12]\d{4}(?:\d{2}|2[AB])\d{8}"), _france),
        "de": (re.compile(r"[1-9]\d{10}"), _germany),
        "pl": (re.compile(r"\d{11}"), _poland),
        "nl": (re.compile(r"\d{9}"), _netherlands),
        "se": (re.compile(r"(?:19|20)?\d{10}"), _sweden),
        "fi": (re.compile(r"\d{6}[+A-Y]?\d{3}[0-9A-Y]"), _finland),
        "br": (re.compile(r"\d{11}"), _brazil),
        "cn": (re.compile(r"[1-8]\d{16}[0-9X]"), _china),
        "gb_nhs": (re.compile(r"\d{10}"), _nhs),
        "ca": (re.compile(r"[1-79]\d{8}"), luhn),
    }
)
"""Country, shape of the compact number, and whether its check digits are right."""


def national_id_countries(number: str) -> frozenset[str]:
    """The countries whose check digits the compact number keeps."""
    return frozenset(
        country
        for country, (shape, holds) in NATIONAL_IDS.items()
        if shape.fullmatch(number) and holds(number)
    )
