"""CSV as it is met in the field: each with what becomes of it, as ``docs/files.md`` says.

A case is either parsed (``types`` and ``rows``) or refused (``reason``, and the line if the file as
a whole is not meant).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

D = dt.date


@dataclass(frozen=True)
class CsvCase:
    """One file and its outcome."""

    name: str
    data: bytes
    rows: list[tuple[Any, ...]] | None = None
    types: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    reason: str | None = None
    line: int | None = None
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    note: str | None = None


def parsed(
    name: str, data: bytes | str, types: str, *rows: tuple[Any, ...], **more: Any
) -> CsvCase:
    """A file that is read."""
    raw = data if isinstance(data, bytes) else data.encode()
    return CsvCase(name, raw, list(rows), tuple(types.split()), **more)


def refused(
    name: str, data: bytes | str, reason: str, line: int | None = None, **more: Any
) -> CsvCase:
    """A file that is not."""
    raw = data if isinstance(data, bytes) else data.encode()
    return CsvCase(name, raw, reason=reason, line=line, **more)


MANY = "id,x\n" + "".join(f"{n},{n}\n" for n in range(30_000))
"""More than a sample, so that what comes at its end comes late."""
LATE = MANY.count("\n") + 1

CASES: tuple[CsvCase, ...] = (
    # Delimiters
    parsed("commas", "id,name\n1,a\n2,b\n", "int64 string", (1, "a"), (2, "b")),
    parsed("semicolons", "id;name\n1;a\n2;b\n", "int64 string", (1, "a"), (2, "b")),
    parsed("tabs", "id\tname\n1\ta\n2\tb\n", "int64 string", (1, "a"), (2, "b")),
    parsed("pipes", "id|name\n1|a\n2|b\n", "int64 string", (1, "a"), (2, "b")),
    parsed("one column", "id\n1\n2\n", "int64", (1,), (2,)),
    parsed(
        "a declared delimiter of another kind",
        "id^name\n1^a\n",
        "int64 string",
        (1, "a"),
        options={"csv": {"delimiter": "^"}},
    ),
    parsed(
        "commas within values of semicolons",
        "id;place\n1;Ulm, DE\n2;Bonn, DE\n",
        "int64 string",
        (1, "Ulm, DE"),
        (2, "Bonn, DE"),
    ),
    refused("two delimiters fit", "a;b,c;d\n1;x,y;2\n3;z,w;4\n", "fits as well"),
    parsed(
        "two delimiters fit and one is declared",
        "a;b,c;d\n1;x,y;2\n",
        "int64 string int64",
        (1, "x,y", 2),
        options={"csv": {"delimiter": ";"}},
        names=("a", "b,c", "d"),
    ),
    # Line ends
    parsed("CRLF", "id,name\r\n1,a\r\n2,b\r\n", "int64 string", (1, "a"), (2, "b")),
    parsed("CR alone", "id,name\r1,a\r2,b\r", "int64 string", (1, "a"), (2, "b")),
    parsed("mixed LF and CRLF", "id,name\n1,a\r\n2,b\n", "int64 string", (1, "a"), (2, "b")),
    parsed("no line break at the end", "id,name\n1,a\n2,b", "int64 string", (1, "a"), (2, "b")),
    parsed("empty lines between", "id,name\n1,a\n\n\n2,b\n\n", "int64 string", (1, "a"), (2, "b")),
    refused("a carriage return within a value", "id,name\n1,a\rb\n2,c\n", "carriage return", 2),
    parsed("a quoted carriage return", 'id,name\n1,"a\rb"\n', "int64 string", (1, "a\rb")),
    # Quotes
    parsed("quoted delimiter", 'id,name\n1,"a,b"\n', "int64 string", (1, "a,b")),
    parsed("quoted line break", 'id,name\n1,"a\nb"\n2,c\n', "int64 string", (1, "a\nb"), (2, "c")),
    parsed("doubled quotes", 'id,name\n1,"a ""b"" c"\n', "int64 string", (1, 'a "b" c')),
    parsed("all quoted", '"id","name"\n"1","a"\n', "int64 string", (1, "a")),
    parsed("quoted quotes alone", 'id,name\n1,""""\n', "int64 string", (1, '"')),
    parsed("backslash escapes", 'id,name\n1,"a \\"b\\" c"\n', "int64 string", (1, 'a "b" c')),
    parsed(
        "quotes as inches", 'id,size\n1,5"\n2,7" x 9"\n', "int64 string", (1, '5"'), (2, '7" x 9"')
    ),
    refused(
        "one stray quote among real ones", 'id,a\n1,"x"\n2,y"z\n3,"w"\n', "quote stands inside", 3
    ),
    refused("text behind a closing quote", 'id,a\n1,"x"\n2,"y"z\n', "follows a closing quote", 3),
    refused("a quote never closed", 'id,a\n1,"x"\n2,"y\n3,z\n', "never closed", 3),
    refused("an open quote swallows until the next", 'id,a\n1,"x\n2,"y"\n', "closing quote", 3),
    parsed(
        "single quotes, declared",
        "id,a\n1,'x,y'\n",
        "int64 string",
        (1, "x,y"),
        options={"csv": {"quote": "'"}},
    ),
    # Header
    parsed(
        "no header",
        "1,a\n2,b\n",
        "int64 string",
        (1, "a"),
        (2, "b"),
        names=("column_1", "column_2"),
    ),
    refused(
        "all text: header or not", "anna,ulm\nben,bonn\n", "whether the first line is a header"
    ),
    parsed(
        "all text, header declared",
        "name,city\nben,bonn\n",
        "string string",
        ("ben", "bonn"),
        options={"csv": {"header": True}},
    ),
    refused("a name twice", "id,id\n1,2\n", "'id' 2 times", 1),
    parsed("an empty name", ",x\n1,2\n", "int64 int64", (1, 2), names=("column_1", "x")),
    parsed("blanks around names", " id , x\n1,2\n", "int64 int64", (1, 2), names=("id", "x")),
    parsed(
        "names in other scripts",
        "номер,имя\n1,Анна\n",
        "int64 string",
        (1, "Анна"),
        names=("номер", "имя"),
    ),
    parsed(
        "a line break in a name", '"id\nno",x\n1,2\n', "int64 int64", (1, 2), names=("id\nno", "x")
    ),
    parsed("only a header", "id,x\n", "string string"),
    parsed(
        "booleans without header", "true|a\nfalse|b\n", "bool string", (True, "a"), (False, "b")
    ),
    refused("NA above numbers", "NA\n5\nNA\n7\n", "whether the first line is a header"),
    refused("years as names", "city,2023,2024\nulm,1,2\n", "whether the first line is a header"),
    # Ragged
    refused("a field too many", "id,x\n1,2\n3,4,5\n", "3 fields where 2", 3),
    refused("a field too few", "id,x\n1,2\n3\n", "1 fields where 2", 3),
    refused(
        "a delimiter at the end of some lines", "id,x\n1,2,\n3,4\n5,6\n", "3 fields where 2", 2
    ),
    refused("ragged late", MANY + "1,2,3\n", "3 fields where 2", LATE),
    refused("truncated within the last record", "id,x,y\n1,2,3\n4,5,6\n7,8", "2 fields where 3", 4),
    refused("a conflict marker", "id,x\n1,2\n<<<<<<< HEAD\n3,4\n", "1 fields where 2", 3),
    # Before and behind the data
    refused("a preamble", "Report of May\n\nid,x\n1,2\n3,4\n5,6\n", "skip: 2"),
    parsed(
        "a preamble, declared",
        "Report of May\n\nid,x\n1,2\n",
        "int64 int64",
        (1, 2),
        options={"csv": {"skip": 2}},
    ),
    refused("a footer", "id,x\n1,2\n3,4\nTotal: 2 rows\n", "1 fields where 2", 4),
    parsed(
        "a footer, declared",
        "id,x\n1,2\n3,4\nTotal: 2 rows\n",
        "int64 int64",
        (1, 2),
        (3, 4),
        options={"csv": {"footer": 1}},
    ),
    refused("sep= of Excel", "sep=;\nid;x\n1;2\n3;4\n", "skip: 1"),
    # Encodings
    parsed(
        "UTF-8 with mark",
        b"\xef\xbb\xbfid,name\n1,\xc3\xa4\n",
        "int64 string",
        (1, "ä"),
        names=("id", "name"),
    ),
    parsed("UTF-16 with mark", "id,name\n1,ä\n".encode("utf-16"), "int64 string", (1, "ä")),
    parsed("UTF-16 without mark", "id,name\n1,a\n".encode("utf-16-le"), "int64 string", (1, "a")),
    parsed("UTF-32 with mark", "id,name\n1,ä\n".encode("utf-32"), "int64 string", (1, "ä")),
    refused(
        "cp1252 undeclared",
        "id,name\n1,ä\n".encode("cp1252"),
        "not UTF-8: declare encoding (cp1252?)",
    ),
    parsed(
        "cp1252 declared",
        "id,name\n1,€\n".encode("cp1252"),
        "int64 string",
        (1, "€"),
        options={"encoding": "cp1252"},
    ),
    parsed(
        "Shift JIS declared",
        "id,name\n1,東京\n".encode("shift_jis"),
        "int64 string",
        (1, "東京"),
        options={"encoding": "shift_jis"},
    ),
    refused("an undecodable byte late", MANY.encode() + b"1,\xff\n", "not utf-8", LATE),
    refused("a NUL", b"id,x\n1,a\n2,\0\n", "NUL", 3),
    refused("a NUL late", MANY.encode() + b"1,\0\n", "NUL", LATE),
    parsed(
        "a mark within the data", "id,x\n1,a\n2,\ufeffb\n", "int64 string", (1, "a"), (2, "\ufeffb")
    ),
    # Nulls
    parsed(
        "empty is null, quoted empty is not",
        'id,x\n1,\n2,""\n3,a\n',
        "int64 string",
        (1, None),
        (2, ""),
        (3, "a"),
    ),
    parsed("quoted empty among numbers", 'id,x\n1,""\n2,"5"\n', "int64 int64", (1, None), (2, 5)),
    parsed(
        "NULL stays text",
        "id,x\n1,NULL\n2,5\n",
        "int64 string",
        (1, "NULL"),
        (2, "5"),
        note="null_values",
    ),
    parsed(
        "NULL declared",
        "id,x\n1,NULL\n2,5\n",
        "int64 int64",
        (1, None),
        (2, 5),
        options={"csv": {"null_values": ["", "NULL"]}},
    ),
    parsed(
        "NaN stays text",
        "id,x\n1,NaN\n2,1.5\n",
        "int64 string",
        (1, "NaN"),
        (2, "1.5"),
        note="null_values",
    ),
    # Numbers
    parsed(
        "leading zeros", "zip,x\n01234,1\n99999,2\n", "string int64", ("01234", 1), ("99999", 2)
    ),
    parsed(
        "above 64 bits",
        "id,x\n9223372036854775808,1\n",
        "decimal128(38,·0) int64",
        (Decimal(2**63), 1),
    ),
    parsed(
        "the largest of 64 bits", "id,x\n9223372036854775807,1\n", "int64 int64", (2**63 - 1, 1)
    ),
    parsed("whole and fractional", "id,x\n1,1\n2,2.5\n", "int64 double", (1, 1.0), (2, 2.5)),
    parsed(
        "more digits than a double has",
        "id,x\n1,0.12345678901234567891\n",
        "int64 decimal128(38,·20)",
        (1, Decimal("0.12345678901234567891")),
    ),
    parsed("exponents", "id,x\n1,1.5e3\n", "int64 double", (1, 1500.0)),
    parsed(
        "decimal commas stay text",
        "id;x\n1;1,5\n2;2,5\n",
        "int64 string",
        (1, "1,5"),
        (2, "2,5"),
        note="decimal",
    ),
    parsed(
        "decimal commas and points of thousands, declared",
        "id;x\n1;1.234,5\n2;-2,25\n",
        "int64 double",
        (1, 1234.5),
        (2, -2.25),
        options={"csv": {"decimal": ",", "thousands": "."}},
    ),
    parsed(
        "thousands stay text",
        'id,x\n1,"1,234"\n2,"5,678"\n',
        "int64 string",
        (1, "1,234"),
        (2, "5,678"),
        note="thousands",
    ),
    parsed(
        "numbers with blanks stay text",
        "id,x\n1, 5\n2, 6\n",
        "int64 string",
        (1, " 5"),
        (2, " 6"),
        note="trim",
    ),
    parsed(
        "blanks, trim declared",
        "id,x\n1, 5\n2, 6\n",
        "int64 int64",
        (1, 5),
        (2, 6),
        options={"csv": {"trim": True}},
    ),
    parsed("a plus sign stays text", "id,x\n1,+5\n", "int64 string", (1, "+5")),
    parsed("hexadecimal stays text", "id,x\n1,0x1F\n", "int64 string", (1, "0x1F")),
    parsed("percent stays text", "id,x\n1,5%\n", "int64 string", (1, "5%"), note="percent"),
    parsed(
        "mixed numbers and texts",
        "id,x\n1,5\n2,6\n3,n\n",
        "int64 string",
        (1, "5"),
        (2, "6"),
        (3, "n"),
        note="67%",
    ),
    # Booleans
    parsed("true and false", "id,x\n1,true\n2,false\n", "int64 bool", (1, True), (2, False)),
    parsed(
        "yes and no stay text",
        "id,x\n1,yes\n2,no\n",
        "int64 string",
        (1, "yes"),
        (2, "no"),
        note="yes and no",
    ),
    # Dates
    parsed("ISO dates", "id,d\n1,2024-01-31\n", "int64 date32[day]", (1, D(2024, 1, 31))),
    parsed(
        "ISO times",
        "id,d\n1,2024-01-31 10:00:00\n",
        "int64 timestamp[us]",
        (1, dt.datetime(2024, 1, 31, 10)),
    ),
    parsed(
        "ISO times with zones",
        "id,d\n1,2024-01-31T10:00:00+02:00\n",
        "int64 timestamp[us,·tz=UTC]",
        (1, dt.datetime(2024, 1, 31, 8, tzinfo=dt.UTC)),
    ),
    parsed(
        "day or month first",
        "id,d\n1,03/04/2024\n",
        "int64 string",
        (1, "03/04/2024"),
        note="day and month",
    ),
    parsed(
        "day first, declared",
        "id,d\n1,03/04/2024\n",
        "int64 date32[day]",
        (1, D(2024, 4, 3)),
        options={"types": {"d": {"type": "date", "format": "%d/%m/%Y"}}},
    ),
    refused(
        "a month of 13, declared",
        "id,d\n1,03/04/2024\n2,13/13/2024\n",
        "%d/%m/%Y",
        3,
        options={"types": {"d": {"type": "date", "format": "%d/%m/%Y"}}},
    ),
    parsed(
        "a date that is none",
        "id,d\n1,2024-01-31\n2,2023-02-29\n",
        "int64 string",
        (1, "2024-01-31"),
        (2, "2023-02-29"),
    ),
    # Late changes
    refused("a text late", MANY + "1,abc\n", "'abc' is not an int64", LATE),
    refused("a leading zero late", MANY + "1,007\n", "'007' is not exactly an int64", LATE),
    refused("a fraction late", MANY + "1,1.5\n", "'1.5' is not an int64", LATE),
    refused("above 64 bits late", MANY + "1,9223372036854775808\n", "is not an int64", LATE),
    refused(
        "too many digits late",
        MANY.replace(",", ",1.").replace("id,1.x", "id,x") + "1,0.12345678901234567891\n",
        "is not exactly a double",
        LATE,
    ),
    refused(
        "a date where times are declared",
        "id,t\n1,2024-01-31 10:00\n2,2024-01-31\n",
        "'2024-01-31' is not exactly a timestamp",
        3,
        options={"columns": {"id": "int64", "t": "timestamp"}},
    ),
    refused("a repeated header late", MANY + "id,x\n", "is not an int64", LATE),
    # Declared columns
    refused(
        "an undeclared column",
        "id,x,y\n1,2,3\n",
        "not declared",
        1,
        options={"columns": {"id": "int64", "x": "int64"}},
    ),
    refused(
        "a required value missing",
        "id,x\n1,\n",
        "required",
        2,
        options={"columns": {"id": "int64", "x": {"type": "int64", "required": True}}},
    ),
    parsed(
        "a declared column missing",
        "id\n1\n",
        "int64 string",
        (1, None),
        options={"columns": {"id": "int64", "x": "string"}},
    ),
    # No CSV at all
    refused("nothing", "", "empty"),
    refused("only line breaks", "\n\n", "blanks"),
    refused("HTML", "<!DOCTYPE html><html><body>Login, please</body></html>\n", "HTML"),
    refused("zeros", b"\0" * 100, "zeros"),
)
