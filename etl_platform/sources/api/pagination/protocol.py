"""What every way of paging says: how the first page is asked for, and which come after one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from etl_platform.sources.api.records.reading import Page

StepValue = str | int | None


@dataclass(frozen=True, slots=True)
class Step:
    """Where a page is.

    Attributes:
        values: by placeholder: ``{page}`` in the declared request takes ``values["page"]``. What
            no placeholder takes is sent as the query's parameter that ``params`` names for it.
        params: the query's parameter for each value; a value of None is left out.
        url: the whole address instead, as the server gave it.
        full: records of the first page, where others may be compared with it.
        beyond: whether it may lie behind the last page, where some servers answer 404.
    """

    values: Mapping[str, StepValue] = field(default_factory=dict[str, StepValue])
    params: Mapping[str, str] = field(default_factory=dict[str, str])
    url: str | None = None
    full: int | None = None
    beyond: bool = False

    def __str__(self) -> str:
        if self.url is not None:
            return self.url
        return ", ".join(f"{name} {value}" for name, value in self.values.items()) or "first"


@dataclass(frozen=True, slots=True)
class Ahead:
    """The pages after the first one, known before they are read.

    Attributes:
        steps: in order; endless where ``known`` is False.
        known: whether the first page said how many there are. If not, pages are asked for until
            one is the last, and those behind it were asked for in vain.
    """

    steps: Iterator[Step]
    known: bool


class Scheme(Protocol):
    """One way of paging."""

    def first(self) -> Step:
        """The first page."""
        ...

    def after(self, step: Step, page: Page) -> Step | None:
        """The page after this one; None where this is the last.

        Raises:
            BadResponse: the answer does not say what this scheme needs.
        """
        ...

    def ahead(self, step: Step, page: Page) -> Ahead | None:
        """The pages after the first, where they need not be read one after the other."""
        ...

    def total(self, page: Page) -> int | None:
        """How many records there are in all, where the answer says so."""
        ...


class SchemeOptions(BaseModel):
    """What the schemes have in common; they read pages one after the other unless they say more."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def ahead(self, step: Step, page: Page) -> Ahead | None:
        """See :class:`Scheme`."""
        del step, page
        return None

    def total(self, page: Page) -> int | None:
        """See :class:`Scheme`."""
        del page
        return None
