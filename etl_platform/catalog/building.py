"""The next generation: what stays of the one before, and the documents that changed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from etl_platform.catalog.documents import Document
from etl_platform.catalog.lexical import FACET, Forward, inverted
from etl_platform.catalog.snapshot import Snapshot
from etl_platform.catalog.words import terms

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def empty(model: str) -> Snapshot:
    """A generation without documents."""
    import numpy as np

    forward = Forward(np.zeros(0, np.int32), np.zeros(1, np.int64))
    return Snapshot(
        model,
        [],
        [],
        [],
        np.zeros((0, 0), np.float32),
        np.zeros(0, np.uint8),
        np.zeros(1, np.int64),
        forward,
        inverted(forward, []),
        np.zeros(0, np.float64),
    )


def following(
    before: Snapshot,
    gone: Collection[str],
    added: Sequence[Document],
    vectors: NDArray[np.float32],
) -> Snapshot:
    """``before`` without the documents that are gone or changed, then those that were added.

    Args:
        gone: ids that are no more; ids of ``added`` need not be among them.
        vectors: of ``added``, of the model of ``before``.
    """
    import numpy as np

    out = set(gone) | {document.id for document in added}
    kept = np.fromiter((one not in out for one in before.ids), np.bool_, len(before.ids))
    numbers = dict(before.numbers)
    rows = [_numbered(document, numbers) for document in added]
    vocabulary = list(numbers)
    forward = before.forward.only(kept).and_rows(rows)
    bodies = [document.body.encode() for document in added]
    lengths = np.diff(before.body_offsets)
    sizes = np.concatenate((lengths[kept], np.array([len(b) for b in bodies], np.int64)))
    stamps = np.array([d.updated_at or np.nan for d in added], np.float64)
    old = before.vectors[kept] if kept.any() else vectors[:0]
    return Snapshot(
        before.model,
        [one for one, stays in zip(before.ids, kept, strict=True) if stays]
        + [document.id for document in added],
        [one for one, stays in zip(before.fingerprints, kept, strict=True) if stays]
        + [document.fingerprint for document in added],
        vocabulary,
        np.concatenate((old, vectors)) if len(added) else old,
        np.concatenate(
            (before.bodies[np.repeat(kept, lengths)], np.frombuffer(b"".join(bodies), np.uint8))
        ),
        np.concatenate(([0], np.cumsum(sizes))).astype(np.int64),
        forward,
        inverted(forward, vocabulary),
        np.concatenate((before.updated_at[kept], stamps)),
    )


def _numbered(document: Document, numbers: dict[str, int]) -> list[int]:
    facets = [FACET + facet for facet in document.facets()]
    return [numbers.setdefault(term, len(numbers)) for term in terms(document.searched) + facets]
