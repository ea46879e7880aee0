"""``make demo``: from a database with real flaws to checked, queryable tables."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg

from etl_platform.demo import broker, bucket, departures, fleet, report, source, weather
from etl_platform.demo.report import console
from etl_platform.demo.runs import Loaded, materialize, replay
from etl_platform.platform import Platform

_LOGS = Path(".demo/logs")
_TABLES = 'not group:"live"'
_QUESTIONS = {
    "Which weather delays departures most?": (
        "SELECT origin, conditions, flights, extra_delay_min FROM marts.weather_impact "
        "WHERE extra_delay_min > 15 ORDER BY extra_delay_min DESC LIMIT 5"
    ),
    "Do older aircraft leave later?": (
        "SELECT age_band, sum(aircraft)::INT AS aircraft, sum(flights)::INT AS flights, "
        "sum(flights * mean_dep_delay_min) / sum(flights) AS mean_dep_delay_min "
        "FROM marts.fleet_age GROUP BY age_band ORDER BY age_band"
    ),
    "At which hours of the stream did most departures leave late?": (
        "SELECT window_start::VARCHAR AS hour_utc, origin, departures, mean_delay_min, "
        "100 * late_share AS late_percent FROM live.delays "
        "ORDER BY late_share * departures DESC LIMIT 5"
    ),
    "Do the weather service and the database agree?": (
        "SELECT count(*) AS hours, count(w.origin) AS in_both, "
        "count(*) FILTER (w.temp != o.temp OR w.visib != o.visib) AS different "
        "FROM weather.observations o LEFT JOIN nyc.weather w "
        "ON w.origin = o.station AND w.time_hour = o.observed_at"
    ),
    "Do the files in the bucket and the database tell of the same aircraft?": (
        "SELECT count(*) AS aircraft, count(f.tailnum) AS in_both, "
        "count(DISTINCT f._file) AS files, "
        "count(*) FILTER (f.seats != p.seats OR f.model != p.model) AS different "
        "FROM nyc.planes p LEFT JOIN fleet.planes f USING (tailnum)"
    ),
    "Which files could not be read?": (
        "SELECT key, size_bytes, reason FROM fleet.planes__bad_files"
    ),
    "Which destinations wait in quarantine?": (
        "SELECT dest, count(*) AS flights, any_value(_rule) AS broken_rule "
        "FROM nyc.flights__quarantine GROUP BY dest ORDER BY flights DESC"
    ),
}


def prepare() -> None:
    """Build the source database and ask it for its tables."""
    for table, rows in source.build():
        console.print(f"  {table:9} {rows:>8,} rows")
    dg_command = str(Path(sys.executable).with_name("dg"))
    subprocess.run(
        [dg_command, "utils", "refresh-defs-state"], check=True, stdout=subprocess.DEVNULL
    )


def main() -> int:
    """Run the demo; exit status 0 when every table was published in the end."""
    if sys.argv[1:] == ["--prepare"]:
        if not source.DATABASE.exists():
            prepare()
        return 0
    home = Path(os.environ.get("DAGSTER_HOME") or ".dagster").absolute()
    home.mkdir(parents=True, exist_ok=True)
    os.environ["DAGSTER_HOME"] = str(home)
    started = time.perf_counter()

    report.heading(1, f"A database with flaws: {source.DATABASE}")
    prepare()

    with dg.DagsterInstance.get() as instance:
        report.heading(
            2, f"Every table, in one run: dagster asset materialize --select '{_TABLES}'"
        )
        with weather.serving() as service, bucket.serving(_LOGS / "bucket.log") as place:
            console.print(f"  a weather service answers at {service.url}")
            os.environ |= {"WEATHER_API": service.url, "WEATHER_SECRET": service.secret}
            os.environ |= place.variables
            delivered = list(fleet.deliver(bucket.store()))
            console.print(f"  a bucket at {place.url} holds {len(delivered)} files:")
            for key, rows, size_bytes in delivered:
                console.print(f"    {key:24} {rows:>6,} rows {size_bytes:>8,} bytes")
            first = materialize(instance, _TABLES, _LOGS / "first_run.log", _tell)
        console.print(
            f"  {service.pages.total()} pages of weather, {len(service.pages)} different ones, for "
            f"{len(service.tokens)} tokens; {service.refused} requests too many in their second"
        )
        report.summary(first)
        for loaded in first.values():
            if loaded.error:
                console.print(f"[red]{loaded.error}[/]\n", markup=True)
        console.print("Assets that need a blocked one were not run: nothing is made of bad data.")

        report.heading(3, "Repair the source, and run what was held back")
        console.print(f"  {source.repair()} airports put back where they are")
        second = materialize(instance, 'key:"nyc/airports"+', _LOGS / "second_run.log", _tell)

        report.heading(4, "A stream: the departures of January through a Kafka broker")
        streamed = _stream(instance)

    report.heading(5, "Where every table stands")
    everything = {**first, **second, **streamed}
    report.summary(everything)
    report.findings(everything)

    report.heading(6, "Questions")
    platform = Platform.open()
    for question, sql in _QUESTIONS.items():
        report.answer(question, sql, platform.query(sql))

    complete = all(loaded.published for loaded in everything.values())
    console.print(
        f"{len(everything)} assets in {time.perf_counter() - started:.0f} s. Next:\n"
        "  make dev       opens the Dagster UI with these assets on http://127.0.0.1:3000\n"
        "  .venv/bin/etl status, .venv/bin/etl query 'SELECT ...', .venv/bin/etl --help"
    )
    return 0 if complete else 1


def _stream(instance: dg.DagsterInstance) -> dict[str, Loaded]:
    """Send the departures that are not in the lake yet, and load them."""
    waiting = departures.waiting(Platform.open().lake)
    if waiting.is_empty():
        console.print("  an earlier demo has loaded all of them: none is sent a second time")
        return {}
    with broker.serving(_LOGS / "broker.log") as servers:
        departures.produce(servers, waiting)
        console.print(f"  {waiting.height:,} messages wait at {servers}")
        return replay(instance, servers, _LOGS / "stream.log", _tell)


def _tell(asset: str) -> None:
    console.print(f"  [dim]{asset}[/]")


if __name__ == "__main__":
    sys.exit(main())
