"""Names and sentences as words: identifiers split, abbreviations expanded, endings cut."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_PART = re.compile(r"[^\W\d_]+|\d+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_MAX_WORD = 64
_SHORT = {
    "acct": "account", "addr": "address", "amt": "amount", "arr": "arrival", "avg": "average",
    "bal": "balance", "cat": "category", "cd": "code", "cnt": "count", "comm": "comment",
    "cust": "customer", "ctry": "country", "curr": "currency", "dept": "department",
    "dep": "departure", "desc": "description", "dest": "destination", "disc": "discount",
    "dob": "birth date", "dt": "date", "emp": "employee", "exp": "expiry", "ext": "extended",
    "fk": "foreign key", "freq": "frequency", "gmt": "greenwich time",
    "hdemo": "household demographics",


    "cdemo": "customer demographics", "hr": "hour", "id": "identifier", "img": "image",
    "inv": "invoice",
    "lat": "latitude", "lon": "longitude", "lng": "longitude", "loc": "location",
    "max": "maximum", "mfg": "manufacturer", "mfgr": "manufacturer", "mgr": "manager",
    "min": "minimum", "mkt": "market", "msg": "message", "nbr": "number", "no": "number",
    "num": "number", "ord": "order", "org": "organisation", "orig": "origin", "pct": "percent",
    "phone": "phone", "pk": "primary key", "pmt": "payment", "prod": "product",
    "promo": "promotion", "pwd": "password", "qty": "quantity", "rcpt": "receipt",
    "reg": "region", "ret": "return", "sched": "scheduled", "sk": "surrogate key",
    "src": "source", "st": "state", "std": "standard", "stat": "status", "supp": "supplier",
    "sys": "system", "tel": "telephone", "temp": "temperature", "tm": "time", "tot": "total",
    "ts": "timestamp", "txn": "transaction", "typ": "type", "tz": "time zone", "usr": "user",
    "val": "value", "vol": "volume", "wgt": "weight", "wh": "warehouse", "wt": "weight",
    "yr": "year", "zip": "postal code",
}  # fmt: skip
STOP_WORDS = frozenset(
    """
    a about an and any are as at be been between by can did do does each every for from get had has
    have how i in into is it its list many me much my of on or our per show such that the their them
    there these they this those to was we were what when where which who whom whose why will with
    would you your column columns table tables find give tell some one
    """.split()  # noqa: SIM905 - words read better than a page of quotes
)


def inert(text: str) -> str:
    """The text without anything that acts: control, format and bidirectional characters.

    Blanks become one space. Markup and prompts stay as the letters that they are: whoever shows
    them escapes for his medium, and nothing here is ever executed or sent as an instruction.
    """
    kept = "".join(" " if unicodedata.category(c)[0] == "C" else c for c in text)
    return " ".join(kept.split())


def words(text: str) -> list[str]:
    """Lower-case words of a text or identifier; ``cust_addr_id`` is customer address identifier."""
    found: list[str] = []
    for match in _PART.finditer(text):
        for camel in _CAMEL.split(match.group()):
            part = camel.lower()[:_MAX_WORD]
            found += _SHORT[part].split() if part in _SHORT else [part]
    return found


def terms(text: str) -> list[str]:
    """Words as the lexical index keeps them: without stop words, endings cut."""
    return [stem(word) for word in words(text) if word not in STOP_WORDS]


def spelled(name: str) -> str:
    """An identifier as people would say it."""
    return " ".join(words(name))


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """The word without the commonest English endings (step 1 of Porter's algorithm, shortened)."""
    if len(word) <= 3 or not word.isascii():
        return word
    for ending, instead in (("ies", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("s", "")):
        if word.endswith(ending) and not word.endswith("ss"):
            rest = word[: -len(ending)] + instead
            if len(rest) < 3:
                return word
            if ending in ("ing", "ed") and rest[-1] == rest[-2] and rest[-1] not in "lsz":
                rest = rest[:-1]
            return rest.removesuffix("e") if len(rest) > 5 else rest
    return word.removesuffix("e") if len(word) > 5 else word
