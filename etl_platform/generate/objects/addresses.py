"""Which addresses mean objects, and which of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from etl_platform.core.errors import ConfigError
from etl_platform.core.objects import ObjectStore, S3Connection, open_store
from etl_platform.sources.files.globs import Glob, glob

_WILD = re.compile(r"[*?\[{]")
_URL = re.compile(rb"\s*[A-Za-z][A-Za-z0-9+.-]*://[^\n]*\s*")
_SECRET_BYTES = 8192


@dataclass(frozen=True)
class Place:
    """Objects of a store: those below ``prefix`` whose keys match, all where ``pattern`` is None.

    ``alone``: ``prefix`` is the one object that is meant.
    """

    address: str
    store: ObjectStore
    prefix: str = ""
    pattern: Glob | None = None
    alone: bool = False

    def includes(self, key: str) -> bool:
        if self.alone:
            return key == self.prefix
        return self.pattern is None or self.pattern.matches(key)


def is_place(address: str) -> bool:
    """Whether objects are meant, not a database.

    ``s3://`` always means objects; so does what has no ``://``. ``file://`` means objects when it
    names a folder, a glob, or a file that holds anything but one URL: such a file is a secret
    that says where a database is, as everywhere else.
    """
    scheme, separator, rest = address.partition("://")
    if not separator:
        return True
    if scheme != "file":
        return scheme == "s3"
    path = Path(unquote(rest))
    if path.is_dir() or (_WILD.search(rest) is not None and not path.exists()):
        return True
    return path.is_file() and not _holds_url(path)


def _holds_url(path: Path) -> bool:
    with path.open("rb") as file:
        return is_url(file.read(_SECRET_BYTES))


def is_url(content: bytes) -> bool:
    """Whether this is one URL and nothing else, as files of secrets hold it."""
    return _URL.fullmatch(content) is not None


def place_of(address: str, connection: S3Connection | None = None) -> Place:
    """The objects that an address means: a prefix, an object, or a glob as of file sources.

    Raises:
        ConfigError: there is no such file or folder, the address has no bucket, or its glob is
            none.
    """
    scheme, separator, rest = address.partition("://")
    if separator and scheme == "s3":
        bucket, _, key = rest.partition("/")
        if not bucket:
            raise ConfigError(f"{address!r} names no bucket", valid="s3://bucket/prefix")
        return _below(address, f"s3://{bucket}", key, connection)
    path = unquote(rest) if separator else str(Path(address).expanduser().absolute())
    if Path(path).is_dir():
        return Place(address, open_store(path))
    if Path(path).is_file():
        return Place(address, open_store(Path(path).parent), Path(path).name, alone=True)
    if _WILD.search(path) is None:
        raise ConfigError(
            f"there is no file or folder {path}",
            valid="a path, s3://bucket/prefix, a URL of a database or a secret reference",
        )
    folder, name = _split(path)
    return _below(address, folder or "/", name, None)


def _below(address: str, root: str, key: str, connection: S3Connection | None) -> Place:
    folder, name = _split(key)
    store = open_store(f"{root}/{folder}" if folder else root, connection)
    if _WILD.search(name):
        meant = glob(name)
        return Place(address, store, meant.prefix, meant)
    if name and store.head(name) is not None:
        return Place(address, store, name, alone=True)
    below = open_store(f"{root}/{key.strip('/')}" if key.strip("/") else root, connection)
    return Place(address, below)


def _split(key: str) -> tuple[str, str]:
    """The folder that stands before anything that is wild, and the rest."""
    wild = _WILD.search(key)
    cut = key.rfind("/", 0, wild.start() if wild else len(key))
    return (key[:cut], key[cut + 1 :]) if cut >= 0 else ("", key)
