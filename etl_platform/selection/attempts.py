"""Work done by the chosen engine, and by the next one when that engine fails by its own fault.

    for attempt in attempts(selector, work, offered):
        with attempt:
            read(attempt.decision.engine, attempt.watch)

The body must leave nothing behind when it fails: a fallback starts the work anew.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from etl_platform.core.secrets import redact
from etl_platform.selection.capabilities import Capabilities
from etl_platform.selection.decision import Decision
from etl_platform.selection.faults import EngineFault, NoEngine
from etl_platform.selection.memory import PeakGrowth
from etl_platform.selection.selector import Selector
from etl_platform.selection.work import Measurement, Work

if TYPE_CHECKING:
    import pyarrow as pa


class Attempt:
    """One engine's go at a piece of work: a context that measures, records and forgives.

    It swallows an :class:`~.faults.EngineFault` (:func:`attempts` then goes on with the next
    engine) and nothing else.
    """

    def __init__(self, selector: Selector, decision: Decision) -> None:
        self.decision = decision
        self.fault: EngineFault | None = None
        self._selector = selector
        self._rows = 0
        self._started = time.perf_counter()
        self._memory: PeakGrowth | None = None
        self._done: Measurement | None = None

    def watch(self, reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
        """The same stream, counted; the work is done when it has been read to its end."""
        import pyarrow as pa

        def batches() -> Iterator[pa.RecordBatch]:
            for batch in reader:
                self._rows += batch.num_rows
                yield batch
            self.finish(self._rows)

        return pa.RecordBatchReader.from_batches(reader.schema, batches())

    def finish(self, rows: int) -> None:
        """Say that the engine has done its part, for work that is no stream. Stops the clock:
        what happens to the rows afterwards says nothing about the engine."""
        self._rows = rows
        self._done = self._measured(None)

    @property
    def measurement(self) -> Measurement | None:
        """What was measured; None while the work goes on."""
        return self._done

    def __enter__(self) -> Self:
        self._memory = PeakGrowth()
        self._started = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if self._done is None:
            if isinstance(error, EngineFault):
                self.fault = error
            told = "stopped before its end" if error is None else str(error) or repr(error)
            self._done = self._measured(redact(told))
        self._selector.record(self.decision, self._done)
        return self.fault is not None

    def _measured(self, error: str | None) -> Measurement:
        return Measurement(
            rows=self._rows,
            seconds=time.perf_counter() - self._started,
            peak_bytes=self._memory.size_bytes() if self._memory else None,
            error=error,
            engine_fault=self.fault is not None,
        )


def attempts(selector: Selector, work: Work, offered: Sequence[Capabilities]) -> Iterator[Attempt]:
    """Attempts until one succeeds; each must be entered before the next is asked for.

    Raises:
        NoEngine: no engine may do the work.
        EngineFault: the last engine that may has failed too; its own fault.
    """
    failed: dict[str, str] = {}
    decision = selector.choose(work, offered)
    while True:
        attempt = Attempt(selector, decision)
        yield attempt
        if attempt.fault is None:
            return
        failed[decision.engine] = attempt.fault.reason
        try:
            decision = selector.choose(work, offered, failed)
        except NoEngine as none_left:
            raise attempt.fault from none_left
