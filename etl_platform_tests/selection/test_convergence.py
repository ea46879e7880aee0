"""Choices lead to the fastest engine that may do the work, soon and for good."""

from __future__ import annotations

from pathlib import Path
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from etl_platform.metastore import Metastore
from etl_platform.selection import Degradation, Selector
from etl_platform_tests.selection.conftest import Place, done

RUNS = 8
speeds = st.floats(min_value=1_000, max_value=5_000_000)
wrong_by = st.floats(min_value=0.5, max_value=2.0)


@settings(max_examples=40, deadline=None)
@given(
    engines=st.lists(st.tuples(speeds, wrong_by, st.booleans()), min_size=2, max_size=4),
    machine=st.floats(min_value=0.01, max_value=3),
    lossy=st.lists(speeds, max_size=2),
    seed=st.integers(),
)
def test_the_fifth_run_uses_the_fastest_lossless_engine_and_stays_with_it(
    metastore: Metastore,
    engines: list[tuple[float, float, bool]],
    machine: float,
    lossy: list[float],
    seed: int,
) -> None:
    """Declared speeds are wrong by up to two either way, and for another machine altogether."""
    place = Place()
    selector = Selector(metastore, seed=seed, recheck_share=0)
    truth = {f"e{i}": speed * machine * error for i, (speed, error, _) in enumerate(engines)}
    offered = [
        place.engine(f"e{i}", prior=speed, parallel=parallel)
        for i, (speed, _, parallel) in enumerate(engines)
    ]
    for i, speed in enumerate(lossy):
        truth[f"lossy{i}"] = speed * 1_000
        degrades = (Degradation("price", "rounds"),)
        offered.append(place.engine(f"lossy{i}", prior=speed * 1_000, degrades=degrades))
    fastest = max(speed for name, speed in truth.items() if name.startswith("e"))
    used: list[str] = []
    for _ in range(RUNS):
        # Large enough for every engine that a try is worth it.
        decision = selector.choose(place.work(rows_estimated=100_000_000), offered)
        used.append(decision.engine)
        done(selector, decision, truth[decision.engine])
    assert not any(name.startswith("lossy") for name in used)
    assert truth[used[4]] >= 0.9 * fastest
    assert set(used[4:]) == {used[4]}


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(), noise=st.integers(0, 2**32))
def test_noise_of_a_tenth_does_not_mislead(metastore: Metastore, seed: int, noise: int) -> None:
    place, random = Place(), Random(noise)
    selector = Selector(metastore, seed=seed)
    truth = {"copy": 600_000.0, "adbc": 330_000.0, "connectorx": 450_000.0, "sqlalchemy": 150_000.0}
    offered = [place.engine(name, prior=100_000.0) for name in truth]
    used: list[str] = []
    for _ in range(20):
        decision = selector.choose(place.work(), offered)
        used.append(decision.engine)
        done(selector, decision, truth[decision.engine] * random.uniform(0.9, 1.1))
    assert len(set(used[:4])) == 4
    # All others are measured again by chance, one choice in twenty.
    assert used[4:].count("copy") >= 11


def test_a_slow_night_does_not_rule_for_ever(metastore: Metastore) -> None:
    place = Place("a slow night")  # chance depends on the name, and a numbered one on the order
    selector = Selector(metastore, seed=3, recheck_share=0.2)
    offered = [place.engine("copy"), place.engine("adbc")]
    truth = {"copy": 200_000.0, "adbc": 150_000.0}
    slow = {"copy": 100_000.0, "adbc": 150_000.0}
    used: list[str] = []
    for run in range(60):
        decision = selector.choose(place.work(), offered)
        used.append(decision.engine)
        done(selector, decision, (slow if run < 2 else truth)[decision.engine])
    assert used[2] == "adbc"
    assert used[-20:].count("copy") >= 12


def test_the_same_seed_and_past_give_the_same_choices(tmp_path: Path) -> None:
    truth = {"copy": 200_000.0, "adbc": 171_000.0, "sqlalchemy": 120_000.0}
    shop = Place("shop")

    def choices(seed: int, folder: str) -> list[str]:
        metastore = Metastore.open(f"sqlite:///{tmp_path / folder}/metastore.db")
        selector = Selector(metastore, seed=seed, recheck_share=0.3)
        offered = [shop.engine(name) for name in truth]
        used: list[str] = []
        for _ in range(30):
            decision = selector.choose(shop.work(), offered)
            used.append(decision.engine)
            done(selector, decision, truth[decision.engine])
        metastore.close()
        return used

    first = choices(7, "a")
    assert set(first[3:]) == set(truth)
    assert choices(7, "b") == first
    assert choices(8, "c") != first


def test_processes_learn_from_each_other(metastore: Metastore, place: Place) -> None:
    offered = [place.engine("copy"), place.engine("adbc")]
    for speed in (100_000.0, 300_000.0):
        selector = Selector(metastore)
        done(selector, selector.choose(place.work(), offered), speed)
    decision = Selector(metastore, recheck_share=0).choose(place.work(), offered)
    assert decision.reason == "fastest on this table: 300,000 rows/s over 1 run"
    assert decision.predicted_s == 20.0


def test_a_table_of_a_known_shape_begins_with_what_the_shape_taught(
    metastore: Metastore, place: Place
) -> None:
    selector = Selector(metastore, recheck_share=0)
    offered = [place.engine("copy"), place.engine("adbc", prior=90_000.0)]
    for speed in (100_000.0, 300_000.0):
        done(selector, selector.choose(place.work(), offered), speed)
    decision = selector.choose(place.work(table="shop.lineitem_2"), offered)
    assert decision.engine == "adbc"
    assert decision.chosen.basis == "shape"
    assert "on tables of this shape" in decision.reason


def test_a_speed_at_another_size_is_no_evidence(metastore: Metastore, place: Place) -> None:
    selector = Selector(metastore, recheck_share=0)
    offered = [place.engine("copy", prior=200_000.0), place.engine("adbc")]
    done(selector, selector.choose(place.work(), offered), 150_000.0)
    for rows in (300, None):
        decision = selector.choose(place.work(rows_estimated=rows), offered)
        assert decision.chosen.basis == "prior"
        assert decision.engine == "copy"


def test_work_of_less_than_a_second_is_not_worth_a_try(metastore: Metastore, place: Place) -> None:
    selector = Selector(metastore)
    offered = [place.engine("copy", prior=200_000.0), place.engine("adbc", prior=190_000.0)]
    for _ in range(10):
        decision = selector.choose(place.work(rows_estimated=300), offered)
        assert decision.engine == "copy"
        done(selector, decision, 20_000.0)


def test_an_engine_declared_far_slower_is_never_tried(metastore: Metastore, place: Place) -> None:
    selector = Selector(metastore)
    offered = [place.engine("copy", prior=900_000.0), place.engine("rows", prior=90_000.0)]
    for _ in range(10):
        decision = selector.choose(place.work(), offered)
        assert decision.engine == "copy"
        done(selector, decision, 90_000.0)
