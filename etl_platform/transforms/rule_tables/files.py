"""Files that stand beside a declaration: read as text, and only from there."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from etl_platform.core.errors import ConfigError, UnknownName

LARGEST_BYTES = 1_000_000
_SUFFIX = ".csv"


def read_beside(folder: Path, name: str, where: str) -> str:
    """The text of a CSV file in a folder, or below it.

    Raises:
        UnknownName: there is no such file, with the nearest one.
        ConfigError: the name leads out of the folder, or the file is no text or too large.
    """
    inside = PurePosixPath(name)
    if (
        inside.is_absolute()
        or ".." in inside.parts
        or any(mark in name for mark in ("://", "\\", "\x00", "~", "*"))
    ):
        raise ConfigError(
            f"{where}: {name!r} is not a file beside this one",
            valid="rules.csv, or tables/rules.csv",
        )
    if inside.suffix != _SUFFIX:
        raise ConfigError(f"{where}: {name!r} is no CSV file", valid=f"a name with {_SUFFIX}")
    path = folder / inside
    if not path.is_file():
        there = (str(one.relative_to(folder)) for one in folder.rglob(f"*{_SUFFIX}"))
        raise UnknownName("file", name, there, where=where)
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ConfigError(f"{where}: {name!r} is a link that leads out of its folder")
    if path.stat().st_size > LARGEST_BYTES:
        raise ConfigError(
            f"{where}: {name!r} has {path.stat().st_size:,} bytes",
            valid=f"at most {LARGEST_BYTES:,}",
            fix="load it as a source, and use a lookup step",
        )
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{where}: {name!r} is not UTF-8 text: {error.reason}") from None
