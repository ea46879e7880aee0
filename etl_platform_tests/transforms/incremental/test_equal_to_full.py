"""An incremental run leaves the rows that a full refresh would make, whatever happened before."""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path

import pytest

from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake
from etl_platform.transforms.incremental import refresh
from etl_platform.transforms.incremental.refresh import Kind
from etl_platform_tests.transforms.incremental.world import (
    SHAPES,
    World,
    differences,
    renew,
    subject,
)

SEQUENCES = int(os.environ.get("ETL_TEST_SEQUENCES", "200"))


def settings(folder: Path) -> Settings:
    return Settings(lake_uri=str(folder / "lake"), temp_dir=str(folder / "spill"), threads=1)


def follow(folder: Path, seed: int, shapes: list[str], steps: int) -> Counter[Kind]:
    """Change the sources at random, renew the models after each change, and compare them."""
    lake = Lake(settings=settings(folder))
    world = World(lake, seed)
    done: Counter[Kind] = Counter()
    told: list[str] = []
    for step in range(steps):
        if step:
            told.append("; ".join(world.change() for _ in range(world.dice.randint(1, 2))))
        for shape in shapes:
            model = subject(shape)
            kind, reason = renew(lake, model)
            done[kind] += 1
            found = differences(lake, model)
            assert not found, f"seed {seed}, {shape}, {told} as {kind} ({reason}): {found[:5]}"
    assert not [*(folder / "spill").glob("keys-*")]
    return done


@pytest.mark.parametrize("seed", range(4))
def test_shapes_stay_equal_to_a_full_refresh(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of tables as small as these most rows are renewed, which would be a full refresh.
    monkeypatch.setattr(refresh, "MOST", 1)
    follow(tmp_path, seed, [*SHAPES][seed::4], steps=3)


@pytest.mark.stress
def test_shapes_stay_equal_over_many_sequences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``ETL_TEST_SEQUENCES`` says how many."""
    done: Counter[Kind] = Counter()
    for seed in range(1_000, 1_000 + SEQUENCES):
        monkeypatch.setattr(refresh, "MOST", 1 if seed % 4 else 0.5)
        shapes = random.Random(seed).sample([*SHAPES], 3)
        done += follow(tmp_path / str(seed), seed, shapes, steps=5)
    print(f"\n{SEQUENCES} sequences, runs by kind: {dict(done)}")
