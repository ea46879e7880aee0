"""One reading of a resource from its first page to its last, and whether it can be trusted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import JsonValue

from etl_platform.sources.api.chain import Chain, PagesShifted
from etl_platform.sources.api.chains import in_turn
from etl_platform.sources.api.conditional import validator_of
from etl_platform.sources.api.fetching import Fetcher, Requests
from etl_platform.sources.api.pagination.detection import Found
from etl_platform.sources.api.pagination.single import SinglePage
from etl_platform.sources.api.records.store import RecordStore
from etl_platform.sources.api.records.tables import Layout
from etl_platform.sources.api.resources import ResourceOptions

if TYPE_CHECKING:
    import pyarrow as pa

_NOT_MODIFIED = 304
Owner = Mapping[str, JsonValue] | None


@dataclass(frozen=True)
class Read:
    """What one reading gave.

    Attributes:
        found: the way of paging; of several, one with pages.
        total: records that the answers said there are; None where they did not.
        shifted: pages were asked for at the same time, and something moved meanwhile.
        unchanged: the server answered 304.
        validator: of the only answer.
        again: this was the second reading.
    """

    store: RecordStore
    layout: Layout
    found: Found | None
    total: int | None
    shifted: bool
    unchanged: bool
    validator: str | None
    again: bool = False

    def check_total(self, where: str) -> None:
        """Compare the records with what the answers said.

        Raises:
            PagesShifted: there are fewer.
        """
        if self.total is not None and not self.unchanged and self.layout.records < self.total:
            raise PagesShifted(
                f"{where}: {self.layout.records} different records of {self.total} that the API "
                "says there are",
                fix="run again; if it stays so, total_records does not count what is asked for",
            )


@dataclass(frozen=True)
class Reading:
    """How a resource is read; may be done more than once.

    Attributes:
        requests: makes the requests of one owner.
        owners: the parents' records; one None for a resource without a parent.
        known: the table's schema.
    """

    resource: ResourceOptions
    fetcher: Fetcher
    requests: Callable[[Owner], Requests]
    owners: Iterable[Owner]
    known: pa.Schema | None

    def run(self, *, at_once: bool) -> Read:
        """Read all pages.

        Args:
            at_once: several at the same time, where that is possible.
        """
        store, tally = RecordStore(self.resource, self.fetcher.again, self.known), _Tally()
        current: Chain | None = None
        unchanged, validator = False, None
        every = in_turn(self.owners, self._chain, self.resource.concurrency, at_once=at_once)
        for owner, chain, fetched in every:
            if current is not None and chain is not current:
                tally.add(current)
            store.add(fetched, owner)
            unchanged |= fetched.page.response.status == _NOT_MODIFIED
            validator = validator_of(fetched.page.response) if store.pages == 1 else None
            current = chain
        if current is not None:
            tally.add(current)
        layout = Layout.of(store, self.resource)
        moved = layout.records < store.records or not tally.steady
        return Read(
            store,
            layout,
            tally.found,
            tally.total,
            shifted=tally.at_once and moved,
            unchanged=unchanged,
            validator=validator,
        )

    def _chain(self, owner: Owner) -> Chain:
        return Chain(self.resource.pagination, self.requests(owner), self.fetcher.page)


@dataclass
class _Tally:
    """What the chains of all owners say together."""

    found: Found | None = None
    total: int | None = None
    at_once: bool = False
    steady: bool = True

    def add(self, chain: Chain) -> None:
        # A short answer shows no pages: others may.
        if self.found is None or isinstance(self.found.scheme, SinglePage):
            self.found = chain.found
        if chain.total is not None:
            self.total = (self.total or 0) + chain.total
        self.at_once |= chain.at_once
        self.steady &= chain.steady
