"""No row is lost or doubled whatever breaks while a table is loaded, in any mode.

Every fault strikes at a random moment of a load into a table that has rows, every other one near
its end; the same batch is then tried again until it is done. The rows are compared one by one, and
the receipt's counts.
"""

from __future__ import annotations

import random

import pytest

from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake
from etl_platform.sinks.database import DatabaseSink, Load, LoadMode, Target, rows_of
from etl_platform.sources.database import Database
from etl_platform_tests.stress.loading import COUNT, FIRST, Trials, patiently, publish, second_load
from etl_platform_tests.stress.victims import KINDS, Victim, kill_and_start

FAULTS = ["connection cut", "cut at commit", "server killed", "process killed"]
SEED = 20_240_117


def trials(fault: str, server: Victim, settings: Settings, seed: str) -> Trials:
    def strike(victim: Victim) -> None:
        if fault == "connection cut":
            victim.end(victim.sessions())
        else:
            kill_and_start(victim)

    publish(settings)
    return Trials(server, settings, strike, random.Random(f"{SEED} {seed}"), fault)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_struck_load_is_complete_after_a_retry(
    server: Victim, settings: Settings, fault: str
) -> None:
    struck = trials(fault, server, settings, fault)
    modes = list(LoadMode)
    struck.run(struck.moments.choice(modes), 0)
    figures = struck.figures
    assert figures.trials == 1
    assert (figures.lost, figures.doubled, figures.untrue) == (0, 0, 0)


@pytest.mark.parametrize("mode", [LoadMode.UPSERT, LoadMode.SCD2])
@pytest.mark.parametrize("server", [one for one in KINDS if "mysql" in one.values], indirect=True)
def test_a_crash_before_the_server_counted_its_rows_does_not_slow_the_next_load(
    server: Victim, settings: Settings, mode: LoadMode
) -> None:
    """InnoDB takes such a table for empty and would read it whole for each row of the stage."""
    publish(settings)
    lake = Lake(settings.lake_uri, settings)
    sink, target = DatabaseSink(Database("target", server.url)), Target(f"uncounted_{mode}")
    sink.load(rows_of(lake, FIRST), Load(target, mode, "first", ("id",)))
    server.query(f"ALTER TABLE {target.name} STATS_PERSISTENT = 1, STATS_AUTO_RECALC = 0")
    for found in ("table_stats SET n_rows = 0", "index_stats SET stat_value = 0"):
        server.query(f"UPDATE mysql.innodb_{found} WHERE table_name = '{target.name}'")
    kill_and_start(server)
    read = (
        "SELECT sum(variable_value) FROM information_schema.global_status "
        "WHERE variable_name LIKE 'Handler_read%'"
    )
    patiently(lambda: sink.newest(target))
    ((before,),) = server.query(read)
    second_load(sink, lake, target, mode)
    ((after,),) = server.query(read)
    assert after - before < 100 * COUNT


@pytest.mark.stress
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mode", LoadMode)
@pytest.mark.parametrize("fault", FAULTS)
def test_no_row_is_lost_or_doubled(
    server: Victim,
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
    fault: str,
    mode: LoadMode,
) -> None:
    struck = trials(fault, server, settings, f"{fault} {mode}")
    for number in range(20):
        struck.run(mode, number)
    found = struck.figures
    with capsys.disabled():
        print(
            f"\n{fault:14} {server.kind:11} {mode:13} trials {found.trials} interrupted "
            f"{found.interrupted:2} of which committed {found.committed:2} retries "
            f"{found.retries:3} rows lost {found.lost} doubled {found.doubled} receipts untrue "
            f"{found.untrue}"
        )
    assert (found.trials, found.lost, found.doubled, found.untrue) == (20, 0, 0, 0)
    assert found.interrupted, "no load was interrupted: the test shows nothing"
