"""Files in a store -> Arrow record batches: exact, or refused with the line and the reason.

>>> from etl_platform.core.objects import open_store
>>> from etl_platform.sources.files import detect, infer, read, sample
>>> store = open_store("/data/incoming")                             # doctest: +SKIP
>>> info = store.head("planes.csv.gz")                               # doctest: +SKIP
>>> first = sample(store, info)                                      # doctest: +SKIP
>>> form = detect(first)                                             # doctest: +SKIP
>>> schema = infer(first, form).schema                               # doctest: +SKIP
>>> batches = list(read(store, info, form, schema))                  # doctest: +SKIP

``detect`` goes by the content. What that cannot tell (an encoding that is not Unicode, a delimiter
or header with two readings, lines before the header) is in ``FileFormat.questions``; ``infer`` and
``read`` raise for such a format, whoever only looks may show them.

``infer`` takes the narrowest types that give every value of the sample back; ``read`` holds the
whole file to them and raises :class:`BadFile` where one does not fit. One ``FileFormat`` and schema
may serve many files: each is held to both, and ``read_together`` makes small ones cheap.
"""

from __future__ import annotations

from etl_platform.sources.files.detection import detect
from etl_platform.sources.files.errors import BadFile
from etl_platform.sources.files.inference import infer, unify
from etl_platform.sources.files.models import CsvDialect, FileFormat, FileSample, Inferred
from etl_platform.sources.files.options import CsvOptions, FileOptions, JsonOptions, XlsxOptions
from etl_platform.sources.files.reading import read
from etl_platform.sources.files.sampling import sample
from etl_platform.sources.files.together import Together, read_together

__all__ = [
    "BadFile",
    "CsvDialect",
    "CsvOptions",
    "FileFormat",
    "FileOptions",
    "FileSample",
    "Inferred",
    "JsonOptions",
    "Together",
    "XlsxOptions",
    "detect",
    "infer",
    "read",
    "read_together",
    "sample",
    "unify",
]
