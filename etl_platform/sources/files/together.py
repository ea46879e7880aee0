"""Many small files of one format at once: parsed as one text, told apart by their rows."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_platform.core.errors import PermanentError
from etl_platform.core.objects import ObjectInfo, ObjectStore
from etl_platform.sources.files.errors import BadFile
from etl_platform.sources.files.formats.csv.reading import read_csv
from etl_platform.sources.files.models import FileFormat
from etl_platform.sources.files.reading import decompressed, read
from etl_platform.sources.files.sampling import sample
from etl_platform.sources.files.text import utf8

if TYPE_CHECKING:
    import pyarrow as pa

SMALL_BYTES = 1 << 20
_TOGETHER_BYTES = 4 << 20
_TOGETHER_FILES = 1000


@dataclass(frozen=True, slots=True)
class Together:
    """What became of some files.

    Attributes:
        batch: the rows of the good ones, in the order of ``rows``.
        rows: how many rows each of them has.
        bad: the others; nothing of them is in the batch.
    """

    batch: pa.RecordBatch
    rows: tuple[tuple[ObjectInfo, int], ...]
    bad: tuple[tuple[ObjectInfo, PermanentError], ...]


def read_together(
    store: ObjectStore,
    infos: Iterable[ObjectInfo],
    form: FileFormat,
    schema: pa.Schema,
    *,
    threads: int = 1,
) -> Iterator[Together]:
    """Read files of at most a megabyte as :func:`read` does, with less to do for each.

    CSV files without quotes and with one header are joined and parsed at once; when that fails, and
    for all others, each is read alone. A file that is bad is told beside the others.

    Args:
        threads: files that are fetched side by side, for stores that take long to answer.
    """

    def text(info: ObjectInfo) -> bytes | None:
        return _text(store, info, form)

    if threads <= 1:
        for group in _groups(infos):
            yield _read_group(store, group, list(map(text, group)), form, schema)
        return
    with ThreadPoolExecutor(threads) as pool:
        coming: deque[tuple[list[ObjectInfo], Iterator[bytes | None]]] = deque()
        for group in _groups(infos):
            # While one group is parsed, the next one is on its way.
            coming.append((group, pool.map(text, group)))
            if len(coming) > 1:
                first, texts = coming.popleft()
                yield _read_group(store, first, list(texts), form, schema)
        for first, texts in coming:
            yield _read_group(store, first, list(texts), form, schema)


def _groups(infos: Iterable[ObjectInfo]) -> Iterator[list[ObjectInfo]]:
    group, size = list[ObjectInfo](), 0
    for info in infos:
        if group and (size + info.size_bytes > _TOGETHER_BYTES or len(group) == _TOGETHER_FILES):
            yield group
            group, size = [], 0
        group.append(info)
        size += info.size_bytes
    if group:
        yield group


def _text(store: ObjectStore, info: ObjectInfo, form: FileFormat) -> bytes | None:
    """The text of a file that may be joined with others; None for one to be read alone."""
    dialect = form.dialect
    if (
        form.format != "csv"
        or dialect is None
        or form.questions
        or dialect.footer
        or dialect.line_end == "\r"
        or not 0 < info.size_bytes <= SMALL_BYTES
    ):
        return None
    try:
        found = sample(store, info, SMALL_BYTES)
        text = b"".join(utf8(decompressed(found, form), form.encoding, found.uri))
    except PermanentError:
        return None  # The reason is found again when it is read alone.
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n")
    quote, escape = dialect.quote.encode(), dialect.escape.encode()
    odd = (quote and quote in text) or (escape and escape in text) or b"\r" in text
    if odd or b"\n\n" in text or text.startswith(b"\n"):
        return None
    return text if text.endswith(b"\n") else text + b"\n"


def _read_group(
    store: ObjectStore,
    group: list[ObjectInfo],
    texts: list[bytes | None],
    form: FileFormat,
    schema: pa.Schema,
) -> Together:
    import pyarrow as pa

    skip = form.dialect.skip + form.dialect.header if form.dialect is not None else 0
    head: bytes | None = None
    parts: list[bytes] = []
    joined: dict[int, int] = {}
    for number, text in enumerate(texts):
        if text is None:
            continue
        end = 0
        for _ in range(skip):
            end = text.find(b"\n", end) + 1 or len(text)
        head = text[:end] if head is None else head
        if text[:end] == head:
            parts.append(text[end:])
            joined[number] = text.count(b"\n", end)
    batches: list[pa.RecordBatch] = []
    if len(joined) > 1:
        try:
            batches = list(read_csv([head or b"", *parts], form, schema, store.uri))
        except BadFile:
            joined, batches = {}, []  # One of them is bad: which, is seen when each is read.
    if len(joined) < 2 or sum(joined.values()) != sum(one.num_rows for one in batches):
        joined, batches = {}, []
    rows = [(group[number], count) for number, count in joined.items()]
    bad: list[tuple[ObjectInfo, PermanentError]] = []
    for number, info in enumerate(group):
        if number in joined:
            continue
        try:
            alone = list(read(store, info, form, schema))
        except PermanentError as error:
            bad.append((info, error))
        else:
            batches += alone
            rows.append((info, sum(one.num_rows for one in alone)))
    whole = pa.Table.from_batches(batches, schema).combine_chunks().to_batches()
    empty = pa.RecordBatch.from_pylist([], schema)
    return Together(whole[0] if whole else empty, tuple(rows), tuple(bad))
