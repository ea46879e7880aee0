"""Columns that can be joined are found by their values and what they mean."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from etl_platform import Platform
from etl_platform.catalog.related import overlap
from etl_platform.cli.app import app
from etl_platform.core.errors import UnknownName
from etl_platform.core.names import TableName
from etl_platform.lakehouse.gate import admit
from etl_platform.quality import Contract
from etl_platform.quality.profiles.distinct import KEPT, DistinctSketch
from etl_platform.quality.profiles.hashing import hashes
from etl_platform_tests.catalog.guarded import guarded

POLICIES = """
roles:
  clerk:
    tables:
      nyc.flights: {}
      nyc.planes: {masks: {manufacturer: redact}}
      nyc.airports: {hide: [faa]}
  boss: {tables: {"*": {}}}
"""


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """Flights whose planes are known but for a tenth, and airports of all destinations."""
    made = guarded(tmp_path_factory.mktemp("related"), POLICIES)
    planes = [f"N{n:05}" for n in range(5_000)]
    codes = [f"{a}{b}X" for a in "ABCDEFGH" for b in "KLMNOPQRSTUV"]
    flights = pl.DataFrame(
        {
            "tailnum": [*planes[:4_500], *(f"X{n:05}" for n in range(500))],
            "dest": [codes[n % 80] for n in range(5_000)],
            "carrier": [("UA", "AA", "DL")[n % 3] for n in range(5_000)],
            "distance": [n * 7919 % 2_500 for n in range(5_000)],
        }
    )
    for name, frame in {
        "nyc.flights": flights,
        "nyc.planes": pl.DataFrame({"tail_number": planes, "manufacturer": ["BOEING"] * 5_000}),
        "nyc.airports": pl.DataFrame({"faa": codes, "altitude": list(range(len(codes)))}),
        "hr.staff": pl.DataFrame({"surname": ["Ho", "Li"], "salary": [1, 2]}),
    }.items():
        admit(made.lake, TableName.parse(name), frame, Contract(), metastore=made.metastore)
    return made


def names(platform: Platform, column: str, role: str = "boss") -> list[str]:
    return [one.name for one in platform.related(column, role=role)]


def test_keys_are_found_by_the_values_that_they_share(platform: Platform) -> None:
    (best, *_) = platform.related("nyc.flights.tailnum", role="boss")
    assert best.name == "nyc.planes.tail_number"
    assert best.share == pytest.approx(0.9, abs=0.03)
    assert best.back == pytest.approx(0.9, abs=0.03)
    assert best.is_key
    assert "each value once there" in best.why
    assert names(platform, "nyc.flights.dest") == ["nyc.airports.faa"]
    assert names(platform, "nyc.airports.faa") == ["nyc.flights.dest"]
    assert names(platform, "hr.staff.surname") == []


def test_the_catalogue_adds_what_columns_mean(platform: Platform) -> None:
    before = platform.related("nyc.flights.tailnum", role="boss")[0]
    platform.index()
    after = platform.related("nyc.flights.tailnum", role="boss")[0]
    assert after.name == before.name
    assert after.meaning > before.meaning


def test_a_role_learns_nothing_of_what_it_may_not_query(platform: Platform) -> None:
    assert names(platform, "nyc.flights.dest", "clerk") == []
    # A table that it does not see whole: no word of its values.
    for one in platform.related("nyc.flights.tailnum", role="clerk"):
        assert one.name == "nyc.planes.tail_number"
        assert one.share is None
        assert "values cannot be compared" in one.why
    with pytest.raises(UnknownName):
        platform.related("hr.staff.surname", role="clerk")
    with pytest.raises(UnknownName):
        platform.related("nyc.airports.faa", role="clerk")


def test_an_unknown_column_is_told_with_the_nearest(platform: Platform) -> None:
    with pytest.raises(UnknownName, match="did you mean 'tailnum'"):
        platform.related("nyc.flights.tailnumb", role="boss")
    with pytest.raises(UnknownName, match=r"did you mean 'nyc\.flights'"):
        platform.related("nyc.flight.tailnum", role="boss")


@pytest.mark.parametrize("common", [0.0, 0.2, 0.7, 1.0])
@pytest.mark.parametrize(("ours", "theirs"), [(500, 900), (500, 90_000), (60_000, 90_000)])
def test_overlap_is_near_the_truth(ours: int, theirs: int, common: float) -> None:
    import pyarrow as pa

    def sketch(values: np.ndarray) -> DistinctSketch:
        made = DistinctSketch.empty()
        made.add(hashes(pa.array(values)))
        return made.settle()

    shared = int(ours * common)
    first = sketch(np.arange(ours))
    second = sketch(np.concatenate([np.arange(shared), 1_000_000 + np.arange(theirs - shared)]))
    found = overlap(first, second)
    assert found is not None
    # Four standard errors of a share of so many hashes.
    known = min(ours, KEPT * ours // max(ours, theirs))
    assert found == pytest.approx(common, abs=4 * (common * (1 - common) / known) ** 0.5 + 1e-9)


def test_the_command_shows_why(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    for field in ("lake_uri", "metastore_url", "catalog_dir", "temp_dir", "policies"):
        monkeypatch.setenv(f"ETL_{field.upper()}", str(getattr(platform.settings, field)))
    monkeypatch.setenv("ETL_ROLE", "boss")
    from etl_platform.core.settings import get_settings

    get_settings.cache_clear()
    shown = CliRunner().invoke(app, ["related", "nyc.flights.dest"])
    assert shown.exit_code == 0, shown.output
    assert "100% of its values are there" in shown.stdout
    (listed,) = json.loads(
        CliRunner().invoke(app, ["related", "nyc.flights.dest", "--json"]).stdout
    )
    assert listed["name"] == "nyc.airports.faa"
    get_settings.cache_clear()
