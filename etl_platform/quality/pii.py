"""Personal data: which columns hold it, and how their values are shown.

What the values look like decides first; the column's name settles what values alone leave open.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType

from etl_platform.quality.identifiers import compact, is_card, is_iban, national_id_countries
from etl_platform.quality.names_of_people import looks_like_full_name, looks_like_name


class PiiKind(StrEnum):
    """What kind of personal data a column holds."""

    EMAIL = "email"
    PHONE = "phone"
    CARD = "card"
    IBAN = "iban"
    NATIONAL_ID = "national_id"
    IP = "ip"
    PERSON_NAME = "person_name"
    ADDRESS = "address"


LEAK_SHARE = 0.1
"""Of shapes that nothing else has (email, IBAN), or that the column's name announces: a tenth."""
VALUE_SHARE = 0.8
"""Of shapes that other data may have too: four of five."""
LEAST_VALUES = 5
"""Distinct values that a verdict by check digits alone needs: five in a row pass by chance once in
100,000 times."""
MOST_VALUES = 1000
MOST_CHARACTERS = 500

_EMAIL = re.compile(r"[^@\s\"<>]{1,64}@[\w-]+(?:\.[\w-]+)*\.[^\W\d_]{2,24}")
_EMAIL_INSIDE = re.compile(r"[\w.+%-]{1,64}@[\w-]+(?:\.[\w-]+)*\.[^\W\d_]{2,24}")
_INSIDE = (
    (PiiKind.EMAIL, _EMAIL_INSIDE),
    (PiiKind.IBAN, re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")),
    (PiiKind.CARD, re.compile(r"\b\d(?:[ -]?\d){12,18}\b")),
    (PiiKind.PHONE, re.compile(r"(?<![\w.])(?:\+|00)\d[\d \-/()]{6,20}\d\b")),
)
"""What is recognised within a sentence, where no column's name helps."""
_DATE = re.compile(r"\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./]\d{2,4}")
_PHONE = re.compile(
    r"(?:\+|00)[\d \-./()]{7,22}"
    r"|(?:\+?1[ .-]?)?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}"
    r"|0\d{1,4}[ /-]\d{2,4}(?:[ -]?\d{2,4}){1,3}"
)
_PHONE_NAMED = re.compile(r"[+(]?\d[\d \-./()]{5,22}(?: ?(?:x|ext\.?) ?\d{1,6})?")
_SSN = re.compile(r"(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}")
_NINO = re.compile(r"(?![DFIQUV])[A-Z](?![DFIQUVO])[A-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]")
_ID_NAMED = re.compile(r"(?=.*\d)[A-Za-z0-9][A-Za-z0-9 .\-/]{4,22}")
_ADDRESS = re.compile(r"(?=.*[^\W\d_]{2})(?=.*[\d\s]).{5,}", re.DOTALL)
_NEVER = re.compile(r"bool|date|time|interval|duration|binary|list|struct|map|\[")
_FRACTIONS = re.compile(r"float|double|decimal|half|real")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

_NAMED: Mapping[PiiKind, re.Pattern[str]] = MappingProxyType(
    {
        PiiKind.PHONE: re.compile(
            r"_(phones?|telephone|tel|telefon|mobile|fax|cell|msisdn|handy)_"
        ),
        PiiKind.CARD: re.compile(r"_(cc|ccnum|pan|creditcard|card)_(number_|num_|no_|nr_)?"),
        PiiKind.NATIONAL_ID: re.compile(
            r"_(ssn|sin|nino|nhs|bsn|pesel|cpf|dni|nie|nif|nir|hetu|personnummer|aadhaar|passport"
            r"|social_security|national_id|tax_id|identity_(card|number)|codice_fiscale"
            r"|steuer_?id|driving_licen[cs]e)_"
        ),
        PiiKind.PERSON_NAME: re.compile(
            r"_((first|last|middle|given|family|maiden|full|sur|fore|birth)_?name|surname|vorname"
            r"|nachname|prenom|apellidos?|cognome|(customer|client|patient|employee|passenger|"
            r"contact|person|member|holder|author|student|driver|recipient|guest|clerk)_name)_"
        ),
        PiiKind.ADDRESS: re.compile(
            r"_(address|addr|address_?line|street|strasse|adresse|direccion|indirizzo)_"
        ),
    }
)
_OTHER_ADDRESS = re.compile(r"_(ip|e?mail|mac|web|url|host|network|memory|wallet)_")
_VERSION = re.compile(r"_(version|release|build)_")


def classify(name: str, dtype: str, samples: Sequence[object]) -> PiiKind | None:
    """The kind of personal data in a column, None when there is no evidence of any.

    By values, of which at most 1,000 distinct ones are looked at, 500 characters of each:

    * email and IBAN (check digits): a tenth of the values, also inside of longer text (email);
    * card (issuer, length, Luhn), national id (check digits of one country, the shape of a US
      social security or UK insurance number), ip, phone (international or with separators, never a
      date): four fifths of at least five values.

    By the column's name and values that fit: phone (digits), card and national id (a tenth), person
    name (words without digits), address (words). A column that is just ``name`` holds people when
    its values are given name and family name. Dates, truth values and fractions are never
    personal; integers only by check digits, or as named phone numbers and national ids.

    Args:
        dtype: the lake type's name.
        samples: values of the column; None is left out.
    """
    kind = dtype.lower()
    if _NEVER.search(kind) or _FRACTIONS.search(kind):
        return None
    texts = list(dict.fromkeys(_text(value) for value in samples if value is not None))
    texts = [text for text in texts if text][:MOST_VALUES]
    if not texts:
        return None
    words = "_" + "_".join(_WORDS.findall(name)).lower() + "_"
    return _by_values(texts, words) or _by_name(texts, words)


def _text(value: object) -> str:
    return str(value)[:MOST_CHARACTERS].strip()


def _share(texts: Sequence[str], holds: Callable[[str], object]) -> float:
    return sum(1 for text in texts if holds(text)) / len(texts)


def _by_values(texts: Sequence[str], words: str) -> PiiKind | None:
    if _share(texts, _EMAIL_INSIDE.search) >= LEAK_SHARE:
        return PiiKind.EMAIL
    if _share(texts, lambda text: is_iban(compact(text))) >= LEAK_SHARE:
        return PiiKind.IBAN
    if len(texts) < LEAST_VALUES:
        return None
    if _share(texts, lambda text: is_card(compact(text))) >= VALUE_SHARE:
        return PiiKind.CARD
    if _share(texts, _is_ip) >= VALUE_SHARE and not _VERSION.search(words):
        return PiiKind.IP
    if _share(texts, _is_phone) >= VALUE_SHARE:
        return PiiKind.PHONE
    countries = Counter(c for text in texts for c in national_id_countries(compact(text)))
    shaped = _share(texts, lambda text: _SSN.fullmatch(text) or _NINO.fullmatch(text.upper()))
    if max(countries.values(), default=0) / len(texts) >= VALUE_SHARE or shaped >= VALUE_SHARE:
        return PiiKind.NATIONAL_ID
    return None


def _by_name(texts: Sequence[str], words: str) -> PiiKind | None:
    def named(kind: PiiKind) -> bool:
        return _NAMED[kind].search(words) is not None

    if named(PiiKind.CARD) and _share(texts, lambda t: is_card(compact(t))) >= LEAK_SHARE:
        return PiiKind.CARD
    if named(PiiKind.NATIONAL_ID) and _share(texts, _ID_NAMED.fullmatch) >= LEAK_SHARE:
        return PiiKind.NATIONAL_ID
    if named(PiiKind.PHONE) and _share(texts, _PHONE_NAMED.fullmatch) >= LEAK_SHARE:
        return PiiKind.PHONE
    if named(PiiKind.PERSON_NAME) and _share(texts, looks_like_name) >= VALUE_SHARE:
        return PiiKind.PERSON_NAME
    if words.endswith("_name_") and _share(texts, looks_like_full_name) >= 0.3:
        return PiiKind.PERSON_NAME
    if _OTHER_ADDRESS.search(words):
        return PiiKind.IP if "_ip_" in words and _share(texts, _is_ip) >= LEAK_SHARE else None
    if named(PiiKind.ADDRESS) and _share(texts, _ADDRESS.fullmatch) >= VALUE_SHARE:
        return PiiKind.ADDRESS
    return None


def _is_ip(text: str) -> bool:
    if text.count(".") != 3 and ":" not in text:
        return False
    try:
        ipaddress.ip_interface(text)
    except ValueError:
        return False
    return True


def _is_phone(text: str) -> bool:
    digits = sum(char.isdigit() for char in text)
    return (
        7 <= digits <= 15
        and _PHONE.fullmatch(text) is not None
        and _DATE.fullmatch(text) is None
        and not _is_ip(text)
    )


def mask(value: object, kind: PiiKind) -> str:
    """A value as it may be shown: its shape, never enough to tell whose it is.

    >>> mask("ada.lovelace@example.org", PiiKind.EMAIL)
    'a***@***.org'
    >>> mask("4111 1111 1111 1111", PiiKind.CARD), mask("192.0.2.7", PiiKind.IP)
    ('**** **** **** 1111', '192.*.*.*')

    The last four digits of a card are what PCI DSS 3.4 allows to be shown. Whatever does not have
    the shape of its kind becomes ``***``.
    """
    text = str(value).strip()
    match kind:
        case PiiKind.EMAIL if _EMAIL.fullmatch(text):
            return f"{text[0]}***@***.{text.rpartition('.')[2]}"
        case PiiKind.CARD if is_card(compact(text)):
            return _starred(text[:-4]) + text[-4:]
        case PiiKind.IBAN if is_iban(compact(text)):
            return text[:2] + _starred(text[2:])
        case PiiKind.PHONE if _PHONE_NAMED.fullmatch(text) and len(text) > 6:
            return _starred(text[:-2]) + text[-2:]
        case PiiKind.IP if _is_ip(text):
            return text.partition(".")[0] + ".*.*.*" if "." in text else "*:*"
        case PiiKind.NATIONAL_ID if _ID_NAMED.fullmatch(text):
            return _starred(text)
        case PiiKind.PERSON_NAME if looks_like_name(text):
            return " ".join(f"{word[0]}***" for word in text.split())
        case PiiKind.ADDRESS if _ADDRESS.fullmatch(text):
            return " ".join("***" for _ in text.split())
        case _:
            return "***"


def mask_text(text: str) -> str:
    """A sentence in which mail addresses, IBANs, cards and phone numbers are masked.

    >>> mask_text("row 3: 'ada@example.org' and DE89 3704 0044 0532 0130 00 do not fit in 2024")
    "row 3: 'a***@***.org' and DE** **** **** **** **** ** do not fit in 2024"
    """
    for kind, pattern in _INSIDE:
        text = pattern.sub(lambda found, kind=kind: _masked(found[0], kind), text)
    return text


def _masked(found: str, kind: PiiKind) -> str:
    shown = mask(found, kind)
    # What only looks like a card or an IBAN is a number that people need.
    return found if shown == "***" and kind in (PiiKind.CARD, PiiKind.IBAN) else shown


def mask_rows(
    rows: Sequence[Mapping[str, object]], kinds: Mapping[str, PiiKind]
) -> list[dict[str, object]]:
    """Rows whose personal columns are masked; nulls stay nulls, other columns are as they were."""
    return [
        {
            name: mask(value, kinds[name]) if name in kinds and value is not None else value
            for name, value in row.items()
        }
        for row in rows
    ]


def _starred(text: str) -> str:
    return re.sub(r"[^\W_]", "*", text)
