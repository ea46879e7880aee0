"""What a sensor does when its broker, another sensor or Dagster itself gets in its way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test
from dagster.components.core.component_tree import ComponentTreeException

from etl_platform.components.stream_source.looking import Look, Watcher
from etl_platform.components.stream_source.lost_runs import (
    RESULTS_TAG,
    STREAM_TAG,
    Again,
    Runs,
    begun_anew,
    runs_of,
)
from etl_platform.components.stream_source.options import Batching, Looking, StreamOptions
from etl_platform.core.errors import ConfigError
from etl_platform.core.settings import Settings
from etl_platform.metastore import Metastore, StreamBatchRecord, StreamLog
from etl_platform.monitoring.streams import stream_status
from etl_platform.sources.stream import from_json
from etl_platform.sources.stream.kafka import KafkaOptions, KafkaStream
from etl_platform.sources.stream.progress import BatchOutcome
from etl_platform_tests.components.conftest import Project
from etl_platform_tests.components.streams import Feed, messages
from etl_platform_tests.servers.kafka import KafkaServer, free_port, serving

pytestmark = pytest.mark.stored_instance

NAME = "shop.clicks"
_NOTHING = BatchOutcome(0, 0, 0, 0, 0.1).to_json()


@pytest.fixture
def log(settings: Settings) -> Iterator[StreamLog]:
    metastore = Metastore.open(settings.metastore_url)
    yield metastore.streams
    metastore.close()


def watcher(
    log: StreamLog, address: str, topic: str, *, max_rows: int = 10, **looking: object
) -> Watcher:
    options = StreamOptions(
        batch=Batching(max_rows=max_rows),
        sensor=Looking.model_validate({"budget_s": 2, **looking}),
    )
    stream = KafkaStream(KafkaOptions(bootstrap_servers=address, topic=topic))
    return Watcher(NAME, stream, log, options)


def numbers(look: Look) -> list[int]:
    return [one.number for one in look.requests]


def positions(log: StreamLog) -> list[tuple[str, int]]:
    """Every position that any batch holds."""
    return [
        (one.partition, at)
        for batch in log.batches(NAME)
        for one in from_json(batch.ranges)
        for at in range((-1 if one.after is None else one.after) + 1, one.through + 1)
    ]


def test_a_look_cuts_as_many_batches_as_there_is_room_for(
    log: StreamLog, kafka_server: KafkaServer
) -> None:
    topic = kafka_server.create()
    kafka_server.produce(topic, messages(range(55)))
    one = watcher(log, kafka_server.address, topic, max_unfinished=3)
    first = one.look(-1, 0)
    assert numbers(first) == [0, 1, 2]
    held = one.look(first.cursor, 3)
    assert numbers(held) == []
    assert "3 runs are not finished" in held.reason
    status = stream_status(log, NAME)
    assert status is not None
    assert (status.lag_rows, status.unfinished) == (55, 3)
    assert numbers(one.look(first.cursor, 1)) == [3, 4]


def test_batches_that_were_cut_before_a_kill_are_requested_by_the_next_look(
    log: StreamLog, kafka_server: KafkaServer
) -> None:
    topic = kafka_server.create()
    kafka_server.produce(topic, messages(range(25)))
    one = watcher(log, kafka_server.address, topic)
    lost = one.look(-1, 0)
    again = one.look(-1, 0)
    assert [r.key for r in again.requests] == [r.key for r in lost.requests]
    assert again.cursor == 2


def test_in_order_a_batch_waits_for_those_before_it(
    log: StreamLog, kafka_server: KafkaServer
) -> None:
    topic = kafka_server.create()
    kafka_server.produce(topic, messages(range(25)))
    one = watcher(log, kafka_server.address, topic, in_order=True)
    first = one.look(-1, 0)
    assert numbers(first) == [0]
    waiting = one.look(first.cursor, 0)
    assert numbers(waiting) == []
    assert "order is kept" in waiting.reason
    log.finish(NAME, first.requests[0].key, _NOTHING)
    assert numbers(one.look(first.cursor, 0)) == [1]


def test_sensors_side_by_side_cut_every_position_once(
    log: StreamLog, kafka_server: KafkaServer
) -> None:
    topic = kafka_server.create(partitions=3)
    kafka_server.produce(topic, messages(range(200), 3))
    barrier = threading.Barrier(3)
    errors: list[BaseException] = []

    def work() -> None:
        one = watcher(log, kafka_server.address, topic, max_rows=7, max_unfinished=100)
        cursor = -1
        try:
            barrier.wait()
            for _ in range(4):
                cursor = one.look(cursor, 0).cursor
        except BaseException as error:
            errors.append(error)
            raise

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    cut = positions(log)
    assert len(cut) == len(set(cut)) == 200
    assert [one.number for one in log.batches(NAME)] == list(range(29))


def test_a_broker_that_is_gone_is_told_and_the_next_look_goes_on(
    project: Project, tmp_path: Path
) -> None:
    port = free_port()
    feed = Feed(project, KafkaServer(f"127.0.0.1:{port}"), "clicks")
    feed.declare(sensor={"budget_s": 1})
    away = feed.tick()
    assert away.skip_message is not None
    assert f"127.0.0.1:{port}" in away.skip_message
    status = stream_status(feed.log, NAME)
    assert status is not None
    assert status.error == away.skip_message
    with serving(tmp_path, port=port) as server:
        server.create(name="clicks")
        server.produce("clicks", messages(range(3)))
        feed.declare(sensor={"budget_s": 10})
        assert len(feed.keys(feed.tick())) == 1
        status = stream_status(feed.log, NAME)
        assert status is not None
        assert (status.error, status.lag_rows) == (None, 3)


def test_a_topic_that_was_made_again_is_read_anew_and_old_batches_are_refused(
    log: StreamLog, kafka_server: KafkaServer
) -> None:
    topic = kafka_server.create()
    kafka_server.produce(topic, messages(range(5)))
    one = watcher(log, kafka_server.address, topic)
    first = one.look(-1, 0)
    kafka_server.delete(topic)
    kafka_server.create(name=topic)
    kafka_server.produce(topic, messages(range(8)))
    one.stream.close()
    second = one.look(first.cursor, 0)
    assert numbers(second) == [1]
    assert "made again" in (second.requests[0].note or "")
    assert from_json(second.requests[0].ranges)[0].after is None
    assert second.requests[0].incarnation != first.requests[0].incarnation


def test_options_that_a_broker_does_not_heed_are_refused(project: Project) -> None:
    Batching(max_rows=10, max_mb=1).check_effect("kafka", NAME)
    Batching(parallel=2).check_effect("kinesis", NAME)
    for name in ("max_rows", "max_mb"):
        with pytest.raises(ConfigError, match=f"batch.{name} has no effect on kinesis"):
            Batching.model_validate({name: 5}).check_effect("kinesis", NAME)
    feed = Feed(project, KafkaServer("127.0.0.1:1"), "clicks")
    feed.declare(batch={"parallel": 2})
    with pytest.raises(ComponentTreeException) as refused, project.defs():
        pass
    assert "batch.parallel has no effect on kafka" in str(refused.value.__cause__)


def test_definitions_load_and_are_valid_without_a_broker(project: Project) -> None:
    feed = Feed(project, KafkaServer("127.0.0.1:1"), "clicks")
    feed.declare()
    with project.defs() as defs:
        dg.Definitions.validate_loadable(defs)
        assert [job.name for job in defs.jobs or ()] == ["shop_compact"]


def test_a_batch_whose_worker_died_without_a_word_is_requested_again(project: Project) -> None:
    log, instance = Metastore.open(project.lake.settings.metastore_url).streams, project.instance
    moment = datetime.now(UTC)
    cut_at = moment - timedelta(hours=2)
    for number in range(4):
        key = f"b{number}"
        record = StreamBatchRecord(stream=NAME, number=number, key=key, ranges="[]", cut_at=cut_at)
        assert log.add(record)
    log.finish(NAME, "b3", _NOTHING)

    def started(key: str, more: dict[str, str] | None = None) -> str:
        status, tags = dg.DagsterRunStatus.STARTED, {STREAM_TAG: NAME, "dagster/partition": key}
        tags |= more or {}
        return create_run_for_test(instance, "load", status=status, tags=tags).run_id

    dead = started("b0")
    patient = runs_of(instance, log, NAME, 1, moment, timedelta(hours=1))
    assert patient == Runs(1, (Again("b1", "b1/again"),))  # no run ever took it up
    later = moment + timedelta(hours=2)
    again = runs_of(instance, log, NAME, 1, later, timedelta(hours=1))
    assert set(again.again) == {Again("b0", f"b0/after-{dead}"), Again("b1", "b1/again")}
    # The tick may be killed before its requests are runs: the dead one is not forgotten until then.
    assert again == runs_of(instance, log, NAME, 1, later, timedelta(hours=1))
    started("b0", {"dagster/run_key": f"b0/after-{dead}"})
    runs_of(instance, log, NAME, 1, moment, -timedelta(hours=1))
    run = instance.get_run_by_id(dead)
    assert run is not None
    assert run.status is dg.DagsterRunStatus.CANCELED


def test_results_whose_worker_died_without_a_word_are_requested_again(project: Project) -> None:
    instance, started = project.instance, dg.DagsterRunStatus.STARTED
    moment, hour, tag = datetime.now(UTC), timedelta(hours=1), (RESULTS_TAG, "shop.per_minute")
    run = create_run_for_test(instance, "merge", status=started, tags=dict([tag]))
    assert begun_anew(instance, *tag, moment, hour) == ()
    run_key = f"after-{run.run_id}"
    for _ in range(2):
        assert begun_anew(instance, *tag, moment + 2 * hour, hour) == (run_key,)
    create_run_for_test(instance, "merge", tags={"dagster/run_key": run_key})
    assert begun_anew(instance, *tag, moment + 2 * hour, hour) == ()
    dead = instance.get_run_by_id(run.run_id)
    assert dead is not None
    assert dead.status is dg.DagsterRunStatus.CANCELED


def test_a_batch_whose_crashed_run_was_never_retried_is_requested_again(project: Project) -> None:
    log, instance = Metastore.open(project.lake.settings.metastore_url).streams, project.instance
    moment, hour = datetime.now(UTC), timedelta(hours=1)
    ids: list[str] = []
    for number, reason in enumerate(("RUN_EXCEPTION", "STEP_FAILURE")):
        key = f"b{number}"
        record = StreamBatchRecord(stream=NAME, number=number, key=key, ranges="[]", cut_at=moment)
        assert log.add(record)
        tags = {STREAM_TAG: NAME, "dagster/partition": key, "dagster/failure_reason": reason}
        failed = create_run_for_test(
            instance, "load", status=dg.DagsterRunStatus.FAILURE, tags=tags
        )
        ids.append(failed.run_id)
    assert runs_of(instance, log, NAME, 1, moment, hour) == Runs(0, ())
    later = moment + 2 * hour
    assert runs_of(instance, log, NAME, 1, later, hour).again == (
        Again("b0", f"b0/after-{ids[0]}"),
    )
    assert begun_anew(instance, STREAM_TAG, NAME, later, hour) == ()
