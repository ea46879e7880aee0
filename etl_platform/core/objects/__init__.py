"""Objects in a local folder or in a store of S3's kind, behind one protocol.

>>> from etl_platform.core.objects import open_store
>>> store = open_store("s3://bucket/incoming")                     # doctest: +SKIP
>>> [one.key for one in store.list("2026/")]                       # doctest: +SKIP
"""

from __future__ import annotations

from etl_platform.core.objects.connection import S3Connection
from etl_platform.core.objects.local import LocalStore
from etl_platform.core.objects.opening import open_store
from etl_platform.core.objects.s3 import S3Store
from etl_platform.core.objects.store import (
    ObjectChanged,
    ObjectInfo,
    ObjectMissing,
    ObjectStore,
    StoreUnavailable,
)

__all__ = [
    "LocalStore",
    "ObjectChanged",
    "ObjectInfo",
    "ObjectMissing",
    "ObjectStore",
    "S3Connection",
    "S3Store",
    "StoreUnavailable",
    "open_store",
]
