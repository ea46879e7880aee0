"""Dead letters become rows after a fix, each once, with the broker's messages or without them."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from etl_platform.cli.app import app
from etl_platform.components.stream_source.replaying import Replay, Replayed, counts
from etl_platform_tests.components.conftest import Project
from etl_platform_tests.components.streams import COLUMNS, TABLE, Feed, messages
from etl_platform_tests.servers.kafka import KafkaServer, Message

pytestmark = pytest.mark.stored_instance

STRICT = {"id": {"type": "int64", "required": True}, "amount": "decimal(10, 2)", "n": "int64"}
UNREADABLE = [Message(b'{"id": %d, "n": "many"}' % number, None, 0) for number in (100, 101)]
HOPELESS = Message(b"\xff\xfe", None, 0)


@pytest.fixture
def feed(project: Project, kafka_server: KafkaServer) -> Feed:
    made = Feed(project, kafka_server, kafka_server.create())
    made.declare(decode={"format": "json", "columns": STRICT})
    made.produce([*messages(range(5)), *UNREADABLE, HOPELESS])
    return made


def replay(feed: Feed, *, from_bytes: bool = False) -> list[Replayed]:
    with feed.project.defs() as defs:
        work = Replay(defs, feed.project.instance, feed.project.lake, TABLE, from_bytes)
        return list(work.run())


def test_after_a_fix_messages_are_rows_once_and_the_rest_stays(feed: Feed) -> None:
    (key,) = feed.catch_up()
    assert counts(feed.project.lake, TABLE) == {key: 3}
    feed.declare(decode={"format": "json", "columns": COLUMNS})
    (done,) = replay(feed)
    assert (done.source, done.before, done.after, done.error) == ("broker", 3, 1, None)
    assert feed.ids() == [0, 1, 2, 3, 4, 100, 101]
    (again,) = replay(feed)
    assert (again.before, again.after) == (1, 1)
    assert feed.ids() == [0, 1, 2, 3, 4, 100, 101]


def test_messages_that_the_broker_no_longer_has_are_made_of_their_bytes(feed: Feed) -> None:
    (key,) = feed.catch_up()
    feed.server.delete(feed.topic)
    feed.server.create(name=feed.topic)
    feed.declare(decode={"format": "json", "columns": COLUMNS})
    (done,) = replay(feed)
    assert (done.source, done.before, done.after, done.error) == ("bytes", 3, 1, None)
    assert feed.ids() == [0, 1, 2, 3, 4, 100, 101]
    assert [one["_value"] for one in feed.dead_letters()] == [HOPELESS.value]
    assert [one["_partition"] for one in feed.dead_letters()] == [key]


def test_status_tells_lag_and_dead_letters_of_streams(feed: Feed) -> None:
    feed.tick()
    shown = CliRunner().invoke(app, ["status"])
    assert shown.exit_code == 0, shown.output
    # The line of the table, which is not published yet, and that of the stream.
    lines = [one.split()[:2] for one in shown.output.splitlines() if one.startswith(TABLE.sql)]
    assert [TABLE.sql, "8"] in lines
