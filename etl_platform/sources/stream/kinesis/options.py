"""What is declared about a data stream."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from etl_platform.core.errors import ConfigError
from etl_platform.core.secrets import SecretReference, check_no_literal_secret, resolve

_ARN = r"arn:[a-z-]+:kinesis:[a-z0-9-]+:[0-9]{12}:stream/[A-Za-z0-9._-]{1,128}"


class KinesisOptions(BaseModel):
    """A data stream, where it is, and who reads it.

    Without a key the standard chain of AWS finds one: environment, profile, web identity,
    container or instance role. The role needs ``kinesis:DescribeStreamSummary``, ``ListShards``,
    ``GetShardIterator`` and ``GetRecords``, and ``kms:Decrypt`` for an encrypted stream.

    Attributes:
        stream: its name, or its ARN where it belongs to another account.
        region: of AWS; from the environment or the profile where it is not said.
        endpoint_url: of a server that is not AWS's own, or of a VPC endpoint.
        profile: of the AWS configuration files; it may assume a role.
        access_key_id: reference to the key's id.
        secret_access_key: reference to the key.
        session_token: reference to the token that comes with a temporary key.
        batch_span_s: how many seconds of arrivals one batch of a backlog takes from each shard. A
            shard accepts 1,000 messages and 1 MB a second, so this bounds the batch.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    stream: str = Field(pattern=rf"^([A-Za-z0-9._-]{{1,128}}|{_ARN})$")
    region: str | None = Field(default=None, pattern=r"^[a-z0-9-]+$")
    endpoint_url: str | None = Field(default=None, pattern=r"^https?://")
    profile: str | None = None
    access_key_id: SecretReference | None = None
    secret_access_key: SecretReference | None = None
    session_token: SecretReference | None = None
    batch_span_s: float = Field(default=300.0, ge=1.0)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.endpoint_url is not None:
            check_no_literal_secret(self.endpoint_url)
        if (self.access_key_id is None) != (self.secret_access_key is None) or (
            self.session_token is not None and self.access_key_id is None
        ):
            raise ConfigError(
                "half of an access key is given",
                valid="access_key_id and secret_access_key together, or none of them",
            )
        if self.profile is not None and self.access_key_id is not None:
            raise ConfigError("both a profile and an access key are given", valid="one of them")
        return self

    @property
    def name(self) -> str:
        """The stream's name without its account."""
        return self.stream.rpartition("/")[2]

    @property
    def place(self) -> dict[str, str]:
        """How requests name the stream."""
        return {"StreamARN" if self.stream.startswith("arn:") else "StreamName": self.stream}

    def credentials(self) -> tuple[str | None, str | None, str | None]:
        """The key's id, the key and its token, for a client: never kept, never shown.

        Raises:
            SecretError: a reference does not resolve.
        """
        key_id, key, token = (
            None if ref is None else resolve(ref)
            for ref in (self.access_key_id, self.secret_access_key, self.session_token)
        )
        return key_id, key, token
