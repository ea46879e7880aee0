# ruff: noqa: E501 - one case, one line
"""Steps that ask an API or files outside of the lake; what was answered is kept by key."""

from __future__ import annotations

import gzip
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import polars as pl
import pytest
from dagster.components.core.component_tree import ComponentTreeException

from etl_platform.core.errors import EtlError
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.transforms.enrichment import kept
from etl_platform.transforms.enrichment.asked import Asked, OfApi, OfFiles
from etl_platform.transforms.enrichment.frames import enriched
from etl_platform_tests.components.conftest import Project, Shop
from etl_platform_tests.components.test_database_source import failures, source
from etl_platform_tests.components.test_incremental_models import told
from etl_platform_tests.servers.s3 import S3Server

YAML = """\
type: etl_platform.TransformComponent
attributes:
  target_schema: marts
  tables:
    named:
      from: shop.orders
      steps:
        - select: [id, customer_id, amount]
        - enrich:
            {options}
        - derive: {{shouted: upper(segment)}}
"""
TABLE = TableName("marts", "named")
PEOPLE = {
    1: {"person": 1, "segment": "gold", "score": "1.25", "more": {"deep": [1]}},
    2: {"person": 2, "segment": "new", "score": None},
    3: {"person": 3, "segment": "ö, ü", "score": "2.50"},
}


class Directory(ThreadingHTTPServer):
    """People by number: one to an address, or several to a question; with a token alone."""

    daemon_threads = True
    ignores_numbers = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[list[int]] = []
        self.people = dict(PEOPLE)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def numbers(self) -> list[int]:
        return sorted(number for numbers in self.asked for number in numbers)


class _Handler(BaseHTTPRequestHandler):
    server: Directory

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path.startswith("/people/"):
            number = int(unquote(parts.path.rpartition("/")[2]))
            self.server.asked.append([number])
            found = self.server.people.get(number)
            # What is asked for one by one need not repeat what it was asked for.
            body = found and {name: value for name, value in found.items() if name != "person"}
            self._answer(body)
        else:
            self._several([int(one) for one in parse_qs(parts.query)["numbers"][0].split(",")])

    def do_POST(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._several(said["numbers"])

    def _several(self, numbers: list[int]) -> None:
        self.server.asked.append(numbers)
        asked = self.server.people if self.server.ignores_numbers else numbers
        items = [self.server.people[n] for n in asked if n in self.server.people]
        self._answer({"count": len(items), "items": items})

    def _answer(self, found: object) -> None:
        status = 200 if found is not None else 404
        if self.headers.get("Authorization") != "Bearer open sesame":
            status, found = 403, None
        body = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def directory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Directory]:
    monkeypatch.setenv("DIRECTORY_TOKEN", "open sesame")
    with Directory() as server:
        monkeypatch.setenv("DIRECTORY_URL", server.url)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def orders(project: Project, shop: Shop) -> Project:
    shop.execute(
        "INSERT INTO orders VALUES (4, 7, 80, '2024-01-03 10:00:00'), (5, NULL, 1, '2024-01-03 10:00:00')"
    )
    project.write("shop/defs.yaml", source())
    project.refresh()
    assert project.materialize("shop/orders").success
    return project


CONNECTION = "{base_url: env://DIRECTORY_URL, auth: {type: bearer, token: env://DIRECTORY_TOKEN}}"
OPTIONS = {
    "api": f"{{connection: {CONNECTION}, path: '/people/{{key.person}}'}}",
    "on": "{customer_id: person}",
    "columns": "{segment: VARCHAR, score: 'DECIMAL(6, 2)'}",
}


def yaml(**options: str | None) -> str:
    said = {name: one for name, one in {**OPTIONS, **options}.items() if one is not None}
    return YAML.format(options="\n            ".join(f"{n}: {v}" for n, v in said.items()))


def segments(project: Project) -> dict[object, object]:
    return {row["id"]: row["shouted"] for row in project.rows(TABLE.sql)}


def test_each_key_is_asked_for_once(orders: Project, directory: Directory) -> None:
    orders.write("marts/defs.yaml", yaml())
    result = orders.materialize("marts/named")
    assert result.success, failures(result)
    assert segments(orders) == {1: "GOLD", 2: "NEW", 3: "GOLD", 4: None, 5: None}
    assert directory.numbers() == [1, 2, 7]
    types = [str(field.type) for field in orders.lake.schema(TABLE)]
    assert types[-3:] == ["string", "decimal128(6, 2)", "string"]
    assert told(result, "marts__named")["asked"] == "directory_url:/people/{key.person}"
    again = told(orders.materialize("marts/named"), "marts__named")
    assert "is asked in each run" in str(again["computed_because"])
    assert directory.numbers() == [1, 1, 2, 2, 7, 7]
    assert "open sesame" not in str(orders.lake.snapshot(TABLE).annotations())


def test_an_answer_that_is_good_for_longer_is_kept_and_only_other_keys_are_asked_for(
    orders: Project, shop: Shop, directory: Directory
) -> None:
    orders.write("marts/defs.yaml", yaml(refresh="1h"))
    assert orders.materialize("marts/named").success
    shop.execute("INSERT INTO orders VALUES (6, 3, 80, '2024-01-04 10:00:00')")
    assert orders.materialize("shop/orders").success
    directory.people[1] = {"segment": "silver"}
    result = orders.materialize("marts/named")
    assert result.success, failures(result)
    # That there is no person 7 is an answer as well.
    assert directory.numbers() == [1, 2, 3, 7]
    assert segments(orders) == {1: "GOLD", 2: "NEW", 3: "GOLD", 4: None, 5: None, 6: "Ö, Ü"}


def question(who: OfApi | OfFiles, **options: object) -> Asked:
    return Asked.model_validate(
        {
            "who": who.model_dump(),
            "on": {"k": "person"},
            "keys": {"person": "BIGINT"},
            "columns": {"segment": "VARCHAR", "score": "DECIMAL(6,2)"},
            "expect": "many_to_one",
            "missing": "null",
            "refresh_s": None,
            **options,
        }
    )


def ask(asked: Asked, *keys: int | None) -> dict[object, object]:
    frame = pl.LazyFrame({"k": keys}, schema={"k": pl.Int64})
    made = enriched(frame, asked=asked.model_dump_json()).collect()
    return dict(made.select("k", "segment").rows())


def api(**request: object) -> OfApi:
    several = request.pop("keys_per_request", 1)
    return OfApi.model_validate(
        {
            "connection": {
                "base_url": "env://DIRECTORY_URL",
                "auth": {"type": "bearer", "token": "env://DIRECTORY_TOKEN"},
            },
            "request": {"path": "/people/{key.person}", **request},
            "keys_per_request": several,
        }
    )


@pytest.mark.parametrize(
    "request_",
    [
        {"path": "/people", "params": {"numbers": "{key.person}"}},
        {
            "path": "/people",
            "method": "POST",
            "body": {"numbers": "{key.person}"},
            "repeatable": True,
        },
    ],
    ids=["joined by commas", "a list in a body"],
)
def test_several_keys_go_into_one_request(
    directory: Directory, request_: dict[str, object]
) -> None:
    asked = question(api(**request_, keys_per_request=2))
    assert ask(asked, 1, 2, 3, 1, 9, None) == {1: "gold", 2: "new", 3: "ö, ü", 9: None, None: None}
    assert sorted(map(len, directory.asked)) == [2, 2]
    assert directory.numbers() == [1, 2, 3, 9]


@pytest.mark.parametrize("expect", ["many_to_one", "many_to_many"])
def test_an_api_that_answers_with_everything_doubles_nothing(
    directory: Directory, expect: str
) -> None:
    directory.ignores_numbers = True
    several = api(path="/people", params={"numbers": "{key.person}"}, keys_per_request=2)
    frame = pl.LazyFrame({"k": [1, 2, 3, 9]})
    asked = question(several, expect=expect)
    made = enriched(frame, asked=asked.model_dump_json()).collect()
    assert dict(made.select("k", "segment").rows()) == {1: "gold", 2: "new", 3: "ö, ü", 9: None}
    assert made.height == 4
    assert len(directory.asked) == 2


def test_no_key_asks_nobody(directory: Directory) -> None:
    assert ask(question(api()), None) == {None: None}
    assert directory.asked == []


def test_kept_answers_end_with_their_time_and_their_question(
    directory: Directory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "get_settings", lambda: Settings(temp_dir=str(tmp_path)))
    good = question(api(), refresh_s=3600)
    assert ask(good, 1, 9) == {1: "gold", 9: None}
    directory.people[1] = {"segment": "silver"}
    assert ask(good, 1, 9, 2) == {1: "gold", 9: None, 2: "new"}
    assert directory.numbers() == [1, 2, 9]
    # Shorter: what is there is too old; it is asked for again and kept anew.
    assert ask(question(api(), refresh_s=0), 1) == {1: "silver"}
    assert ask(good, 1) == {1: "silver"}
    # Other columns are another question.
    assert ask(question(api(), refresh_s=3600, columns={"segment": "VARCHAR"}), 1) == {1: "silver"}
    assert directory.numbers() == [1, 1, 1, 2, 9]
    files = list((tmp_path / "enriched").iterdir())
    assert len(files) == 2
    assert {oct(file.stat().st_mode & 0o777) for file in files} == {"0o600"}
    # A damaged file is no answer.
    for file in files:
        file.write_bytes(b"PAR1")
    assert ask(good, 1) == {1: "silver"}
    assert kept.Kept(good, ["_key 0"]).split(pl.DataFrame({"_key 0": [1]}))[1].height == 0


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (
            {"missing": "fail"},
            r"1 keys are not in directory_url:/people/\{key\.person\}, such as 7",
        ),
        ({"columns": {"segment": "BIGINT"}}, "segment"),
    ],
)
def test_what_an_api_may_not_say_is_an_error(
    directory: Directory, options: dict[str, object], why: str
) -> None:
    with pytest.raises(EtlError, match=why):
        ask(question(api(), **options), 1, 7)


def test_a_refused_token_is_an_error_without_the_token(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIRECTORY_TOKEN", "guessed-token")
    with pytest.raises(EtlError, match="403") as error:
        ask(question(api()), 1)
    assert "guessed-token" not in str(error.value)


CSV = "person;segment;since;score\n1;gold;2020-01-01;1.25\n2;new;2021-01-01;\n"


def files(location: str, path: str, **options: object) -> OfFiles:
    return OfFiles.model_validate({"location": location, "path": path, **options})


def test_files_of_any_format_are_asked_for_the_keys(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(CSV.encode()))
    (tmp_path / "b.ndjson").write_text(
        json.dumps({"segment": "ö", "person": 3, "score": 2.5}) + "\n"
    )
    pl.DataFrame(
        {"person": [4, 5], "segment": ["x", "y"], "score": ["1.00", "2.00"], "no": [1, 2]}
    ).with_columns(pl.col("score").cast(pl.Decimal(6, 2))).write_parquet(tmp_path / "c.parquet")
    (tmp_path / "other.txt").write_text("not meant")
    asked = question(files(str(tmp_path), "*.{csv.gz,ndjson,parquet}"))
    assert ask(asked, 1, 2, 3, 4, 9, None) == {
        1: "gold",
        2: "new",
        3: "ö",
        4: "x",
        9: None,
        None: None,
    }


def test_files_of_a_bucket_are_asked_with_their_own_connection(s3_server: S3Server) -> None:
    bucket = s3_server.bucket()
    s3_server.fill(bucket, ["ref/people.csv"], CSV)
    connection = {
        name: value
        for name, value in s3_server.connection().model_dump().items()
        if value is not None
    }
    asked = question(files(f"s3://{bucket}/ref", "people*.csv", connection=connection))
    assert ask(asked, 1, 9) == {1: "gold", 9: None}


@pytest.mark.parametrize(
    ("content", "options", "why"),
    [
        (CSV.replace("segment", "sement"), {}, "no column 'segment'"),
        (CSV + "1;again;2020-01-01;0\n", {}, "1 keys have more than one row"),
        (CSV, {"columns": {"since": "BIGINT"}}, "since"),
        (CSV.replace("1;gold", "one;gold"), {}, "person"),
    ],
)
def test_what_files_may_not_say_is_an_error(
    tmp_path: Path, content: str, options: dict[str, object], why: str
) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(EtlError, match=why):
        ask(question(files(str(tmp_path), "*.csv"), **options), 1)


def test_no_file_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EtlError, match="no file is meant by"):
        ask(question(files(str(tmp_path), "*.csv")), 1)


def test_a_table_gets_columns_of_files(orders: Project, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text(CSV)
    place = f"{{location: '{tmp_path}', path: people.csv, read: {{csv: {{delimiter: ';'}}}}}}"
    orders.write("marts/defs.yaml", yaml(api=None, files=place, missing="drop"))
    result = orders.materialize("marts/named")
    assert result.success, failures(result)
    assert segments(orders) == {1: "GOLD", 2: "NEW", 3: "GOLD"}
    assert str(told(result, "marts__named")["asked"]).endswith(":people.csv")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"files": "{location: /x, path: y}"}, "who is asked"),
        ({"api": None}, "who is asked"),
        ({"api": None, "database": "env://X"}, "who is asked"),
        (
            {"api": f"{{connection: {CONNECTION}, path: /people}}"},
            r"does not name the key 'person'.*\{key\.person\}",
        ),
        (
            {"api": f"{{connection: {CONNECTION}, path: '/{{key.prson}}'}}"},
            "there is no key 'prson'",
        ),
        (
            {"api": f"{{connection: {CONNECTION}, path: '/{{key.person}}', select: 'items['}}"},
            "select",
        ),
        ({"api": "{connection: {base_url: 'ftp://x'}, path: '/{key.person}'}"}, "base_url"),
        (
            {
                "api": "{connection: {base_url: 'http://x', auth: {type: bearer, token: abcdef}}, path: '/{key.person}'}"
            },
            "not a secret reference",
        ),
        (
            {"api": f"{{connection: {CONNECTION}, path: '/{{key.person}}', keys_per_request: 0}}"},
            "keys_per_request",
        ),
        (
            {
                "api": f"{{connection: {CONNECTION}, path: '/{{key.person}}/{{key.order}}', keys_per_request: 5}}",
                "on": "{customer_id: person, id: order}",
            },
            "one by one",
        ),
        ({"api": None, "files": "{location: /x, path: y, read: {formt: csv}}"}, "formt"),
        (
            {"api": None, "files": "{location: /x, path: y, read: {types: {a: int64}}}"},
            "columns of the step",
        ),
        (
            {"api": None, "files": "{location: /x, path: 'a[', connection: {regio: x}}"},
            "regio|a\\[",
        ),
    ],
)
def test_a_wrong_step_is_an_error_when_definitions_load(
    project: Project, shop: Shop, options: dict[str, str | None], why: str
) -> None:
    project.write("shop/defs.yaml", source())
    project.refresh()
    project.write("marts/defs.yaml", yaml(**options))
    with pytest.raises(ComponentTreeException) as error, project.defs():
        pass
    assert isinstance(error.value.__cause__, EtlError)
    assert re.search(rf"defs\.yaml:\d+.*({why})", str(error.value.__cause__), re.DOTALL), (
        error.value.__cause__
    )
    assert "abcdef" not in str(error.value.__cause__)
