"""Text formats as RE2 patterns for the whole text, each from the document that defines it.

==============  ====================================================================================
email           RFC 5321, 4.1.2: dot-string local part, at least two host labels (RFC 1123); ASCII.
url             RFC 3986: http, https, ftp or ftps, with a host; ASCII, the rest percent-encoded.
uuid            RFC 9562, 4: 8-4-4-4-12 hexadecimal digits in either case, of any version.
iso_date        RFC 3339, 5.6 ``full-date``; only days that the calendar has.
iso_datetime    RFC 3339, 5.6 ``date-time``, ``T`` or a space between; the offset may be left out,
                as ISO 8601 has it for local time; second 60 (a leap second) is valid.
phone           ITU-T E.164: ``+`` and 7 to 15 digits, with the visual separators of RFC 3966.
ipv4, ipv6, ip  RFC 3986, 3.2.2 ``IPv4address`` and ``IPv6address`` (RFC 4291 without zone).
json            RFC 8259, without the NaN, comments and trailing commas of ``json_valid``.
==============  ====================================================================================
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from etl_platform.core.duck import literal

Format: TypeAlias = Literal[
    "email", "url", "uuid", "iso_date", "iso_datetime", "phone", "ip", "ipv4", "ipv6", "json"
]

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?"
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = rf"(?:{_OCTET}\.){{3}}{_OCTET}"
_H16 = r"[0-9A-Fa-f]{1,4}"
_LS32 = rf"(?:{_H16}:{_H16}|{_IPV4})"
_IPV6 = (
    "(?:"
    + "|".join(
        [
            rf"(?:{_H16}:){{6}}{_LS32}",
            rf"::(?:{_H16}:){{5}}{_LS32}",
            rf"(?:{_H16})?::(?:{_H16}:){{4}}{_LS32}",
            rf"(?:(?:{_H16}:){{0,1}}{_H16})?::(?:{_H16}:){{3}}{_LS32}",
            rf"(?:(?:{_H16}:){{0,2}}{_H16})?::(?:{_H16}:){{2}}{_LS32}",
            rf"(?:(?:{_H16}:){{0,3}}{_H16})?::{_H16}:{_LS32}",
            rf"(?:(?:{_H16}:){{0,4}}{_H16})?::{_LS32}",
            rf"(?:(?:{_H16}:){{0,5}}{_H16})?::{_H16}",
            rf"(?:(?:{_H16}:){{0,6}}{_H16})?::",
        ]
    )
    + ")"
)
_LEAP = r"(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
_DATE = (
    r"(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    rf"|{_LEAP}-02-29)"
)
_HOUR_MINUTE = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_CHAR = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})"

PATTERNS: dict[str, str] = {
    "email": rf"{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+{_LABEL}",
    "url": (
        r"(?:[Hh][Tt][Tt][Pp]|[Ff][Tt][Pp])[Ss]?://"
        r"(?:(?:[A-Za-z0-9\-._~!$&'()*+,;=:]|%[0-9A-Fa-f]{2})*@)?"
        rf"(?:\[{_IPV6}\]|(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{{2}})+)(?::[0-9]*)?"
        rf"(?:/{_CHAR}*)*(?:\?(?:{_CHAR}|[/?])*)?(?:#(?:{_CHAR}|[/?])*)?"
    ),
    "uuid": r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
    "iso_date": _DATE,
    "iso_datetime": (
        rf"{_DATE}[Tt ]{_HOUR_MINUTE}:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
        rf"(?:[Zz]|[+\-]{_HOUR_MINUTE})?"
    ),
    "phone": r"\+[1-9](?:[\-. ()]{0,2}[0-9]){6,14}",
    "ipv4": _IPV4,
    "ipv6": _IPV6,
    "ip": f"(?:{_IPV4}|{_IPV6})",
}
"""RE2 patterns by format; json has none, because it nests."""

_JSON_STRING = r'"(?:[^"\\]|\\.)*"'
_NO_JSON = r"(?i:nan|inf)|/|,[ \t\r\n]*[\]}]"


def not_json(value: str) -> str:
    """DuckDB SQL, true for a text that is no JSON; what stands in strings is not looked at."""
    bare = f"regexp_replace({value}, {literal(_JSON_STRING)}, '0', 'gs')"
    return f"(NOT json_valid({value}) OR regexp_matches({bare}, {literal(_NO_JSON)}))"
