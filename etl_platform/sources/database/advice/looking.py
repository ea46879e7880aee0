"""What asking the planner of a database needs, whatever its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etl_platform.sources.database.advice.catalogue import Catalogue
    from etl_platform.sources.database.advice.choosing import WhatIf
    from etl_platform.sources.database.advice.model import Index
    from etl_platform.sources.database.advice.usage import Usage


@dataclass(frozen=True)
class Looking:
    """A planner that can be asked, and what is known of the tables.

    ``needs`` says what has to be allowed before candidates can be verified, or None; ``hints`` are
    what else the database's own figures give reason to do, with the indexes that are suggested.
    """

    planner: WhatIf
    catalogue: Catalogue
    verified_by: str
    cost_unit: str
    needs: Callable[[Sequence[Index]], str | None]
    hints: Callable[[Sequence[Sequence[Usage]], Sequence[Index]], Iterable[str]]
