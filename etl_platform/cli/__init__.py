"""The ``etl`` command. Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""

from __future__ import annotations


def main() -> None:
    """Run the command and exit."""
    from etl_platform.cli.app import run

    run()
