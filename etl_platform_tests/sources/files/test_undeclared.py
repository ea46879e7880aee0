"""CSV of which nothing is declared: what is read says what was written, or nothing is read."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import os
import random
from collections import Counter
from decimal import Decimal
from pathlib import Path

from etl_platform.core.objects import LocalStore
from etl_platform.sources.files import BadFile, detect, infer, read, sample

VALUES = {
    "whole": ("0", "-5", "7", str(2**63), str(-(2**63))),
    "number": ("1.5", "-0.25", "1e5", "3", "12345678901234567.5", "1E-7"),
    "zip": ("01234", "99999"),
    "text": ("Anna", "B, C", "x;y", 'say "hi"', "é", "line\nbreak", "tab\there", "1|2", "it's"),
    "date": ("2024-01-31", "1999-12-01"),
    "either": ("31/01/2024", "03/04/2024"),
    "time": ("2024-01-31 10:00:00", "2024-01-31T10:00:00.123456", "2024-01-31"),
    "zoned": ("2024-01-31T10:00:00Z", "2024-01-31T10:00:00+02:00"),
    "flag": ("true", "false", "TRUE"),
    "comma": ("1,5", "2,25", "1.000,5"),
    "missing": ("NA", "5", "7"),
}


def says(value: object, text: str) -> bool:
    """Whether a value is what a text says."""
    if value is None:
        return text == ""
    if isinstance(value, bool):
        return str(value).lower() == text.lower()
    if isinstance(value, int | Decimal | float):
        return bool(text) and Decimal(str(value)) == Decimal(text)
    if isinstance(value, dt.datetime):
        return len(text) > len("2024-01-31") and value == dt.datetime.fromisoformat(text)
    return str(value) == text


def test_what_is_read_says_what_was_written(tmp_path: Path) -> None:
    store, refused, right = LocalStore(tmp_path), Counter[str](), 0
    files = int(os.environ.get("UNDECLARED_FILES", "150"))
    for seed in range(files):
        chance = random.Random(seed)
        kinds = [chance.choice(list(VALUES)) for _ in range(chance.randint(2, 6))]
        rows = [
            ["" if chance.random() < 0.1 else chance.choice(VALUES[kind]) for kind in kinds]
            for _ in range(chance.randint(1, 60))
        ]
        target = io.StringIO(newline="")
        writer = csv.writer(
            target,
            delimiter=chance.choice(",;\t|"),
            lineterminator=chance.choice(["\n", "\r\n"]),
            quoting=chance.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
        )
        if chance.random() < 0.8:
            writer.writerow([f"{kind} {number}" for number, kind in enumerate(kinds)])
        writer.writerows(rows)
        data = target.getvalue().encode(chance.choice(["utf-8", "utf-8-sig", "utf-16"]))
        store.put("file", chance.choice([bytes, gzip.compress])(data))
        (info,) = store.list()
        first = sample(store, info)
        form = detect(first)
        try:
            schema = infer(first, form).schema
            found = [row for one in read(store, info, form, schema) for row in one.to_pylist()]
        except BadFile as error:
            refused[error.reason] += 1
            continue
        assert len(found) == len(rows), (seed, form)
        for row, texts in zip(found, rows, strict=True):
            assert all(map(says, row.values(), texts)), (seed, form, row, texts)
        right += 1
    print(f"{right} of {files} files read; refused: {dict(refused)}")
    assert right > files * 0.9
