"""Objects become rows: held to shared columns, resumed, left out when they change meanwhile."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl_platform.core.objects import LocalStore, ObjectInfo, StoreUnavailable
from etl_platform.sources.files import FileOptions
from etl_platform.sources.files.agreement import Agreement
from etl_platform.sources.files.ingested import Ingested
from etl_platform.sources.files.ingestion import Ingestion
from etl_platform.sources.files.units import Outcome, Units


@dataclass
class Watched(LocalStore):
    """A folder that tells what is read, and where something happens at some keys."""

    root: Path
    read_keys: list[str] = field(default_factory=list[str])
    unavailable: set[str] = field(default_factory=set[str])
    rewritten: Mapping[str, bytes] = field(default_factory=dict[str, bytes])

    def __post_init__(self) -> None:
        super().__init__(self.root)

    def read(
        self, key: str, start: int = 0, length: int | None = None, *, if_match: str | None = None
    ) -> bytes:
        if key in self.unavailable and (length or 0) > 1 << 20:
            raise StoreUnavailable(f"{key}: no answer")
        if key in self.rewritten:
            self.put(key, self.rewritten[key])
        self.read_keys.append(key)
        return super().read(key, start, length, if_match=if_match)


@dataclass
class Load:
    """Loads of one folder, each a process of its own as far as what is kept goes."""

    store: Watched
    folder: Path

    def put(self, **texts: str | bytes) -> None:
        for name, text in texts.items():
            key = name.replace("__", ".")
            self.store.put(key, text.encode() if isinstance(text, str) else text)

    def run(
        self, known: pa.Schema | None = None, state: str = "", *, grows: bool = True
    ) -> tuple[Ingested, pa.Table]:
        objects = list(self.store.list())
        columns = Agreement(known, grows=grows)
        with Units.open(self.folder, "shop.orders", state) as units:
            found = Ingestion(self.store, FileOptions(), columns, units).run(objects)
            assert columns.schema is not None
            return found, found.reader(columns.schema).read_all()


@pytest.fixture
def load(tmp_path: Path) -> Load:
    return Load(Watched(tmp_path / "in"), tmp_path / "units")


def csv(*numbers: int) -> str:
    return "id,name\n" + "".join(f"{n},n{n}\n" for n in numbers)


def ids(table: pa.Table) -> list[tuple[object, object]]:
    return list(zip(table["id"].to_pylist(), table["_file"].to_pylist(), strict=True))


def bad(found: Ingested) -> dict[str, tuple[str | None, int | None]]:
    return {one.key: (one.reason, one.line) for one in found.bad}


def test_objects_of_several_formats_become_one_table(load: Load) -> None:
    stored = io.BytesIO()
    pq.write_table(pa.table({"id": pa.array([5], pa.int64()), "name": ["n5"]}), stored)
    load.put(
        a__csv=csv(1),
        b__csv="id;name\n2;n2\n",
        c__csv__gz=gzip.compress(csv(3).encode()),
        d__ndjson='{"id": 4, "name": "n4"}\n',
        e__parquet=stored.getvalue(),
        f__csv="name,id\nn6,6\n",
    )
    found, table = load.run()
    assert not bad(found)
    assert table.column_names == ["id", "name", "_file"]
    assert [n for n, _ in ids(table)] == [1, 2, 3, 4, 5, 6]
    assert table["name"].to_pylist() == [f"n{n}" for n in range(1, 7)]


def test_rows_come_in_the_order_of_keys_small_and_large_ones(load: Load) -> None:
    large = "id,name\n" + "".join(f"{n},{'x' * 90}\n" for n in range(20_000))
    load.put(a__csv=csv(1), b__csv=large, c__csv=csv(2))
    found, table = load.run()
    assert [one.rows for one in found.loaded] == [1, 20_000, 1]
    assert [key for key, _ in _runs(table["_file"].to_pylist())] == ["a.csv", "b.csv", "c.csv"]


def _runs(values: Sequence[object]) -> Iterator[tuple[object, int]]:
    last: object = None
    for number, value in enumerate(values):
        if value != last:
            yield value, number
        last = value


def test_numbers_of_different_kinds_share_a_column_and_others_do_not(load: Load) -> None:
    load.put(a__csv="id,x\n1,1\n", b__csv="id,x\n2,2.5\n", c__csv="id,x\n3,y\n", d__csv="id\n4\n")
    found, table = load.run()
    assert table["x"].to_pylist() == [1.0, 2.5, None]
    assert bad(found)["c.csv"][1] == 2


def test_a_table_that_exists_decides_what_its_columns_are(load: Load) -> None:
    known = pa.schema([("id", pa.int32()), ("x", pa.float64())])
    load.put(a__csv="id,x\n1,1\n", b__csv=f"id,x\n{1 << 40},2\n", c__csv="id,x,y\n3,3,z\n")
    found, table = load.run(known)
    assert not bad(found)
    assert [str(one.type) for one in table.schema] == ["int64", "double", "string", "string"]
    frozen, table = load.run(known, "frozen", grows=False)
    assert bad(frozen).keys() == {"b.csv", "c.csv"}
    assert table.schema.names == ["id", "x", "_file"]


def test_what_is_no_file_of_the_table_adds_no_column(load: Load) -> None:
    load.put(
        **{f"a{n}__csv": csv(n) for n in range(5)},
        b__csv="city,zip\nRome,1\n",
        c__csv="1,n1\n2,n2\n3,n3\n",
        d__csv="id,name,_file\n1,n1,x\n",
    )
    found, table = load.run()
    assert table.schema.names == ["id", "name", "_file"]
    assert bad(found).keys() == {"b.csv", "c.csv", "d.csv"}


def test_an_object_that_is_written_again_or_goes_is_left_to_the_next_load(load: Load) -> None:
    load.put(a__csv=csv(1), b__csv=csv(2), c__csv=csv(3))
    objects = list(load.store.list())
    load.store.rewritten = {"b.csv": csv(20).encode()}
    load.store.delete(["c.csv"])
    with Units.open(load.folder, "shop.orders", "") as units:
        found = Ingestion(load.store, FileOptions(), Agreement(None), units).run(objects)
    assert [one.key for one in found.loaded] == ["a.csv"]
    assert [one.key for one in found.changed] == ["b.csv", "c.csv"]
    assert not bad(found)


def test_what_was_read_before_a_failure_is_not_read_again(load: Load) -> None:
    large = "id,name\n" + "".join(f"{n},{'x' * 90}\n" for n in range(20_000))
    load.put(a__csv=csv(1), b__csv=csv(2), c__csv=large, d__csv=large)
    load.store.unavailable = {"d.csv"}
    with pytest.raises(StoreUnavailable):
        load.run()
    load.store.unavailable = set()
    # Meanwhile one object is written again, and one goes.
    load.put(b__csv=csv(20), e__csv="id,name,more\n5,n5,m\n")
    load.store.read_keys.clear()
    found, table = load.run()
    assert found.reused == 2
    assert not {"a.csv", "c.csv"} & set(load.store.read_keys)
    rows = {n for n, key in ids(table) if key not in ("c.csv", "d.csv")}
    assert rows == {1, 20, 5}
    assert table.num_rows == 40_003

    # Another state has nothing to do with what was kept.
    load.store.read_keys.clear()
    found, _ = load.run(state="another")
    assert found.reused == 0
    assert "a.csv" in load.store.read_keys


def test_units_are_whole_or_not_there(tmp_path: Path) -> None:
    rows = pa.record_batch({"id": [1, 2], "_file": ["a", "b"]})
    wanted = {key: ObjectInfo(key, 1, "1", None) for key in ("a", "b")}  # type: ignore[arg-type]
    good = [Outcome("a", "1", 1, 1), Outcome("b", "1", 1, 1)]
    with Units.open(tmp_path, "t", "s") as units:
        with units.begin() as draft:
            draft.write(rows)
        with units.begin() as draft:
            draft.write(rows)
            draft.keep(good)
        # As a process leaves it that is killed while it writes.
        (units.folder / "half.part").write_bytes(b"x")
        (units.folder / "alone.arrow").write_bytes(b"x")
        with Units.open(tmp_path, "t", "s") as other:
            assert other.folder != units.folder
            assert not other.kept(wanted)
        assert not other.folder.exists()
    with Units.open(tmp_path, "t", "s") as again:
        assert again.name == units.name
        (unit,) = again.kept({"b": wanted["b"]})
        assert [batch.to_pydict() for batch in unit.batches()] == [{"id": [2], "_file": ["b"]}]
        assert not list(again.folder.glob("*.part"))
        again.remove()
    with Units.open(tmp_path, "t", "s") as fresh:
        assert fresh.name != units.name
