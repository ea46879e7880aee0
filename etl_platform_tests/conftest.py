"""What every test shares: a clean environment, real servers, and what a missing one means."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from etl_platform.core.settings import Settings, get_settings

if TYPE_CHECKING:
    from etl_platform_tests.servers.s3 import S3Server

pytest_plugins = [
    "etl_platform_tests.servers.postgres",
    "etl_platform_tests.servers.mariadb",
    "etl_platform_tests.servers.kafka",
    "etl_platform_tests.servers.aws",
    "etl_platform_tests.servers.s3",
    "etl_platform_tests.servers.http",
    "etl_platform_tests.servers.oauth",
    "etl_platform_tests.servers.receivers",
    "etl_platform_tests.dagster_instances",
]

_LONGEST = ("demo", "ui", "test_commands.py", "stress", "components")
"""Folders and files that run for long: begun first, so that no worker is left with one alone."""


def pytest_configure() -> None:
    """Forget what the developer's shell sets: tests own their folders and databases."""
    for name in list(os.environ):
        if name.startswith(("ETL_", "DAGSTER_")):
            del os.environ[name]
    # Dagster reports usage unless told otherwise, also from processes that tests start.
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "true"
    # Each client reads all authorities that the system trusts, for 20 ms; no test needs one.
    os.environ["SSL_CERT_FILE"] = str(Path(__file__).parent / "servers" / "authority.pem")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first."""
    here = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        first = item.path.relative_to(here).parts[0]
        return _LONGEST.index(first) if first in _LONGEST else len(_LONGEST)

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """What was imported stays: the garbage collector need not look through it again and again."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Modules of C libraries that end frozen are reported as leaks, by hundreds of lines."""
    gc.unfreeze()


_begun_again: set[str] = set()


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(crashitem: str, report: pytest.TestReport) -> None:
    """A test whose worker died in a C library is run once more, by another worker, and told.

    ``1 rerun`` then stands in the summary, above it which thread of the worker was hit. A test
    whose worker dies twice has failed.
    """
    if crashitem not in _begun_again:
        _begun_again.add(crashitem)
        report.outcome = "rerun"  # pyright: ignore - a word of its own, which the summary counts


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[pytest.TestReport]:
    """Where CI=true a test that was skipped for want of a program counts as failed."""
    report: pytest.TestReport = yield  # pyright: ignore - the wrapper protocol of pluggy
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI") == "true":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} may not be skipped in CI: {reason}"
    return report


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--lake s3`` runs what uses ``settings`` on a lake in a bucket."""
    parser.addoption("--lake", choices=("disk", "s3"), default="disk", help="where lakes are")


@pytest.fixture(scope="session")
def lake_place(request: pytest.FixtureRequest) -> Callable[[Path], dict[str, str]]:
    """The settings that say where a test's lake is: below a folder, or in a bucket of its own."""
    if request.config.getoption("--lake") == "disk":
        return lambda folder: {"lake_uri": str(folder / "lake")}
    server: S3Server = request.getfixturevalue("s3_server")
    return lambda _: {"lake_uri": f"s3://{server.bucket()}/lake", **server.settings()}


@pytest.fixture(scope="session")
def shared_spill(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where DuckDB puts what does not fit: one folder, so that all sessions are of one engine."""
    return tmp_path_factory.mktemp("spill")


@pytest.fixture
def spill(request: pytest.FixtureRequest, shared_spill: Path, tmp_path: Path) -> Path:
    """The shared folder; one of its own for a test of APIs, whose budgets are kept there."""
    inside = request.path.relative_to(Path(__file__).parent).with_suffix("")
    return tmp_path / "spill" if "api" in str(inside) else shared_spill


@pytest.fixture
def settings(
    tmp_path: Path,
    spill: Path,
    monkeypatch: pytest.MonkeyPatch,
    lake_place: Callable[[Path], dict[str, str]],
) -> Iterator[Settings]:
    """Settings whose lake and metastore live in the test's own folder.

    The process's settings and those of processes that the test starts are the same.
    """
    for name, value in lake_place(tmp_path).items():
        monkeypatch.setenv(f"ETL_{name.upper()}", value)
    monkeypatch.setenv("ETL_METASTORE_URL", f"sqlite:///{tmp_path / 'metastore.db'}")
    monkeypatch.setenv("ETL_TEMP_DIR", str(spill))
    monkeypatch.setenv("ETL_MEMORY_LIMIT", str(1024 * 1024 * 1024))
    monkeypatch.setenv("ETL_THREADS", "2")
    get_settings.cache_clear()
    yield get_settings()
    get_settings.cache_clear()


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Debian's Chromium; the test is skipped by name where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    return found
