from __future__ import annotations

from typing import Any

import pytest

from etl_platform.core.objects import ObjectChanged, ObjectMissing
from etl_platform.core.objects.direct import EVENT, DirectReads
from etl_platform_tests.servers.s3 import S3Server

_KEYS = ("plain", "a b/ü+%.csv", "b c=1/&?#~", "e%20f", "x/" * 20 + "deep")


@pytest.mark.parametrize("prefix", ["", "in/with blank"])
def test_the_first_read_of_a_bucket_and_those_that_follow_its_example_give_the_same(
    s3_server: S3Server, prefix: str
) -> None:
    store = s3_server.store(prefix)
    etags = {key: store.put(key, f"content of {key}".encode()) for key in _KEYS}
    for _ in range(2):
        for key in _KEYS:
            content = f"content of {key}".encode()
            assert store.read(key) == content
            assert store.read(key, if_match=etags[key]) == content
            assert store.read(key, 3, 5) == content[3:8]
            assert store.read(key, 1_000, 5) == b""
            with pytest.raises(ObjectChanged):
                store.read(key, if_match=etags["plain"] if key != "plain" else "0f")
        with pytest.raises(ObjectMissing):
            store.read("nothing")


def _shown(server: S3Server, bucket: str, direct: DirectReads) -> Any:
    client = server.aws.client("s3")
    client.meta.events.register(EVENT, direct.see)
    for key in _KEYS:
        client.put_object(Bucket=bucket, Key=key, Body=key.encode())
    client.get_object(Bucket=bucket, Key=_KEYS[0])["Body"].read()
    direct.learn(_KEYS[0])
    return client


def test_requests_follow_the_example_and_leave_to_botocore_what_they_do_not_get(
    s3_server: S3Server,
) -> None:
    bucket = s3_server.bucket()
    direct = DirectReads(s3_server.connection().credentials())
    assert direct.get(_KEYS[0], {}) is None, "nothing was shown yet"
    _shown(s3_server, bucket, direct)
    assert direct.get("nothing", {}) is None
    for key in _KEYS:
        assert direct.get(key, {}) == key.encode()
    assert direct.get(_KEYS[0], {"If-Match": '"0f"'}) is None
    assert direct.get(_KEYS[0], {"Range": "bytes=1-2"}) == b"la"


def test_what_answers_in_another_way_is_not_asked_again(s3_server: S3Server) -> None:
    bucket = s3_server.bucket()
    direct = DirectReads(s3_server.connection().credentials())
    client = _shown(s3_server, bucket, direct)
    client.put_bucket_policy(
        Bucket=bucket,
        Policy='{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", '
        f'"Action": "s3:GetObject", "Resource": "arn:aws:s3:::{bucket}/plain"}}]}}',
    )
    assert direct.get("plain", {}) is None
    assert direct.get(_KEYS[1], {}) is None


def test_without_credentials_or_signature_nothing_is_asked() -> None:
    assert DirectReads(None).get("key", {}) is None
