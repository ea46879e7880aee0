"""Buckets of the tests' AWS server."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import uuid4

import pytest

from etl_platform.core.objects import S3Connection, S3Store
from etl_platform_tests.servers.aws import ACCOUNT, CREDENTIALS, REGION, AwsServer


@dataclass(frozen=True)
class S3Server:
    """Buckets of a server."""

    aws: AwsServer

    def connection(self) -> S3Connection:
        """How the platform is told of the server."""
        return S3Connection.model_validate(
            {"region": REGION, "endpoint_url": self.aws.address, **CREDENTIALS}
        )

    def environment(self) -> dict[str, str]:
        """The same as the settings' environment variables, for other processes too."""
        return {
            "ETL_S3_ENDPOINT_URL": self.aws.address,
            "ETL_S3_REGION": REGION,
            "ETL_S3_ACCESS_KEY_ID": CREDENTIALS["access_key_id"],
            "ETL_S3_SECRET_ACCESS_KEY": CREDENTIALS["secret_access_key"],
        }

    def bucket(self) -> str:
        """Make a bucket and return its name."""
        name = f"b-{uuid4().hex[:12]}"
        self.aws.client("s3").create_bucket(
            Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        return name

    def fill(self, bucket: str, keys: Iterable[str], data: bytes = b"") -> None:
        """Let many objects be there, without a request for each."""
        from moto.s3.models import s3_backends

        backend = s3_backends[ACCOUNT]["aws"]
        for key in keys:
            backend.put_object(bucket, key, data)

    def store(self, prefix: str = "") -> S3Store:
        """What lies below a prefix of a new bucket."""
        return S3Store(self.bucket(), prefix, self.connection())


@pytest.fixture(scope="session")
def s3_server(aws_server: AwsServer) -> S3Server:
    """S3 of that server."""
    return S3Server(aws_server)
