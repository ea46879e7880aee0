"""What is asked for: how rows are chosen, how many, from which seed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from etl_platform.core.errors import ConfigError

DEFAULT_ROWS = 20_000
_FORM = "STRATEGY[:SIZE[:COLUMN]], for example random:20000, blocks:1%, stratified:5000:carrier"
_SIZE = re.compile(r"(?P<number>\d[\d_]*(?:\.\d+)?)(?P<percent>%?)")


class Strategy(StrEnum):
    """How rows are chosen.

    * ``random``: each row by itself with the same probability (Bernoulli).
    * ``reservoir``: exactly as many rows as asked for, each set of them equally likely.
    * ``systematic``: every k-th row, from several random starts.
    * ``stratified``: at random within each value of a column, as large a share of each.
    * ``blocks``: whole neighbourhoods: pages, row groups, ranges of keys. Reads the least and knows
      the least, because neighbours are alike.
    """

    RANDOM = "random"
    RESERVOIR = "reservoir"
    SYSTEMATIC = "systematic"
    STRATIFIED = "stratified"
    BLOCKS = "blocks"


@dataclass(frozen=True, slots=True)
class SampleSpec:
    """One sample to take. The same spec of the same unchanged table gives the same rows.

    Args:
        strategy: how rows are chosen.
        rows: about how many (``reservoir``: exactly), or
        share: which part of all, above 0 and at most 1. Neither: 20,000 rows.
        by: the column whose values are the strata; of ``stratified`` only.
        seed: of the random choice, 0 to 2,147,483,646.

    Raises:
        ConfigError: the combination makes no sense.
    """

    strategy: Strategy = Strategy.RANDOM
    rows: int | None = None
    share: float | None = None
    by: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.rows is not None and self.share is not None:
            raise ConfigError("a sample has either rows or a share, not both", valid=_FORM)
        if self.rows is not None and self.rows < 1:
            raise ConfigError(f"a sample of {self.rows} rows", valid="1 or more")
        if self.share is not None and not 0 < self.share <= 1:
            raise ConfigError(f"a sample of the share {self.share}", valid="above 0, at most 1")
        if (self.by is not None) != (self.strategy is Strategy.STRATIFIED):
            raise ConfigError(
                f"sample {self.strategy}: by={self.by!r}",
                valid="a column for stratified, none for the others",
            )
        if not 0 <= self.seed < 2_147_483_647:
            raise ConfigError(f"seed {self.seed}", valid="0 to 2147483646")

    @classmethod
    def parse(cls, text: str, seed: int = 0) -> SampleSpec:
        """Read ``STRATEGY[:SIZE[:COLUMN]]``; SIZE is a number of rows or a percentage.

        >>> SampleSpec.parse("blocks:1%").share
        0.01
        >>> SampleSpec.parse("stratified:5000:carrier").by
        'carrier'

        Raises:
            ConfigError: the text has another form, or makes no sense.
        """
        name, _, rest = text.partition(":")
        size, _, by = rest.partition(":")
        if name not in list(Strategy):
            raise ConfigError(f"sample {text!r}: no strategy {name!r}", valid=_FORM)
        found = _SIZE.fullmatch(size)
        if size and found is None:
            raise ConfigError(f"sample {text!r}: no size {size!r}", valid=_FORM)
        rows = share = None
        if found is not None and found["percent"]:
            share = float(found["number"]) / 100
        elif found is not None:
            rows = round(float(found["number"]))
        return cls(Strategy(name), rows, share, by or None, seed)

    def share_of(self, rows: float) -> float:
        """Which part of a table of so many rows is asked for, at most 1."""
        if self.share is not None:
            return self.share
        return min(1.0, (self.rows or DEFAULT_ROWS) / max(1.0, rows))

    def rows_of(self, rows: int) -> int:
        """How many rows of so many are asked for."""
        if self.share is not None:
            return max(1, round(self.share * rows))
        return min(rows, self.rows or DEFAULT_ROWS)
