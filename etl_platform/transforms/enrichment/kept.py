"""Answers that are good for some time, kept on this machine by key: only other keys are asked for.

A file for each question. It is a cache: without it all keys are asked for again.
"""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from etl_platform.core.secrets import is_reference, resolve, resolve_shown
from etl_platform.core.settings import get_settings

if TYPE_CHECKING:
    import polars as pl

    from etl_platform.transforms.enrichment.asked import Asked

_AT, _THERE = "_asked_at", "_is_there"


class Kept:
    """What is known of the keys of one question.

    Args:
        key: names of the key's columns, in the answers as in the keys.
    """

    def __init__(self, asked: Asked, key: list[str], folder: Path | None = None) -> None:
        # Expectations are of what to do with an answer: they do not change it.
        question = asked.model_dump_json(exclude={"expect", "missing", "refresh_s"})
        # The same reference leads elsewhere in another environment.
        read = resolve_shown if asked.who.kind == "api" else resolve
        question += read(asked.address) if is_reference(asked.address) else asked.address
        home = folder or Path(get_settings().temp_dir) / "enriched"
        self._file = home / f"{sha256(question.encode()).hexdigest()[:32]}.parquet"
        self._good_for = timedelta(seconds=asked.refresh_s or 0)
        self._key = key

    def split(self, keys: pl.DataFrame) -> tuple[pl.DataFrame | None, pl.DataFrame]:
        """The answers for keys that are known well enough, and the keys that are not."""
        known = self._read()
        if known is None:
            return None, keys
        answers = known.join(keys, on=self._key, how="semi", nulls_equal=True)
        unknown = keys.join(known, on=self._key, how="anti", nulls_equal=True)
        return self._plain(answers), unknown

    def add(self, keys: pl.DataFrame, found: pl.DataFrame) -> None:
        """Note what was answered for keys; that there was nothing is an answer as well."""
        import polars as pl

        now = pl.lit(datetime.now(UTC)).cast(pl.Datetime("us", "UTC")).alias(_AT)
        asked = keys.join(
            found.with_columns(pl.lit(value=True).alias(_THERE)),
            on=self._key,
            how="left",
            nulls_equal=True,
        ).with_columns(pl.col(_THERE).fill_null(value=False), now)
        before = self._read()
        if before is not None:
            older = before.join(keys, on=self._key, how="anti", nulls_equal=True)
            asked = pl.concat([older, asked.select(older.columns)])
        self._write(asked)

    def _plain(self, answers: pl.DataFrame) -> pl.DataFrame:
        import polars as pl

        return answers.filter(pl.col(_THERE)).drop(_THERE, _AT)

    def _read(self) -> pl.DataFrame | None:
        import polars as pl

        try:
            known = pl.read_parquet(self._file.read_bytes())
        except (OSError, pl.exceptions.PolarsError):
            return None
        return known.filter(pl.col(_AT) > datetime.now(UTC) - self._good_for)

    def _write(self, known: pl.DataFrame) -> None:
        """Replace the file as a whole; a run beside may undo it, which costs a question."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._file.parent)  # for the owner alone
        with os.fdopen(handle, "wb") as file:
            known.write_parquet(file)
        Path(name).replace(self._file)
