"""What an engine declares about itself for one piece of work: data, never ``isinstance``."""

from __future__ import annotations

from dataclasses import dataclass

from etl_platform.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Degradation:
    """A column that an engine would change, and how: ``("price", "rounds to 10 decimals")``."""

    column: str
    why: str


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do with one piece of work.

    Args:
        name: the engine's name, by which it is pinned and recorded.
        kinds: what it can work on, for example ``{"postgresql"}``.
        lossless: whether every value arrives as it is. None when the engine cannot tell for this
            work: it is then treated as if it could not.
        streaming: whether memory stays bounded as rows grow.
        parallel: whether it reads with several connections at once.
        degrades: the columns that it would change; not empty means not lossless, whatever
            ``lossless`` says.
        prior_rows_per_s: the speed to expect before anything was measured. Only its ratio to the
            other engines' matters once one of them was.
        connections: how many connections it holds while it works.

    Raises:
        ConfigError: a number is not positive.
    """

    name: str
    kinds: frozenset[str]
    lossless: bool | None
    streaming: bool
    parallel: bool = False
    degrades: tuple[Degradation, ...] = ()
    prior_rows_per_s: float = 100_000.0
    connections: int = 1

    def __post_init__(self) -> None:
        if not self.prior_rows_per_s > 0 or self.connections < 1:
            raise ConfigError(
                f"engine {self.name!r} declares {self.prior_rows_per_s} rows/s "
                f"and {self.connections} connections",
                valid="a speed above 0 and at least one connection",
            )
