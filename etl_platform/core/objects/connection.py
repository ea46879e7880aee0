"""How a store of S3's kind is reached, and as whom."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from etl_platform.core.objects.failures import failure
from etl_platform.core.objects.listing import EVENT, keep_body
from etl_platform.core.secrets import (
    SecretReference,
    check_no_literal_secret,
    is_reference,
    remember,
    resolve,
    resolve_shown,
)

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from botocore.loaders import Loader
    from botocore.session import Session

_DEFAULT_REGION = "us-east-1"
CONNECTIONS = 32
"""How many requests of a client are on their way at the same time."""
TIMEOUTS_S = (10, 60)
"""For the connection, and between two pieces of an answer."""


class S3Connection(BaseModel):
    """A region, an endpoint and credentials; what is not given, boto3's own configuration says.

    Raises ``pydantic.ValidationError`` for half a pair of keys, for a literal secret and for an
    endpoint with a password.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    region: str | None = Field(default=None, description="Region of the buckets.")
    endpoint_url: str | None = Field(
        default=None,
        description="A server that is not AWS's own, or a VPC endpoint; or a reference to it.",
    )
    profile: str | None = Field(
        default=None, description="Profile of the AWS configuration files; it may assume a role."
    )
    access_key_id: SecretReference | None = Field(
        default=None, description="Reference to the key's id; default: AWS's own chain."
    )
    secret_access_key: SecretReference | None = Field(
        default=None, description="Reference to the key."
    )
    session_token: SecretReference | None = Field(
        default=None, description="Reference to the token of a temporary key."
    )

    @model_validator(mode="after")
    def _whole(self) -> S3Connection:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("access_key_id and secret_access_key belong together")
        if self.session_token is not None and self.access_key_id is None:
            raise ValueError("session_token belongs to access_key_id and secret_access_key")
        if self.endpoint_url is not None:
            check_no_literal_secret(self.endpoint_url)
        return self

    def client(self) -> BaseClient:
        """A boto3 client whose keys are resolved now; nothing is connected to.

        Raises:
            SecretError: a reference does not resolve.
            PermanentError: there is no such profile, or no region.
        """
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        config = Config(
            connect_timeout=TIMEOUTS_S[0],
            read_timeout=TIMEOUTS_S[1],
            retries={"mode": "standard", "total_max_attempts": 6},
            max_pool_connections=CONNECTIONS,
            # Other makers' servers do not all know the checksums that botocore adds unasked.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            user_agent_extra="etl_platform",
            s3={"addressing_style": "path"} if self.endpoint_url else None,
        )
        key_id, key, token = self._keys()
        try:
            client = self._session().create_client(
                "s3",
                region_name=self.region,
                endpoint_url=self._endpoint(),
                config=config,
                aws_access_key_id=key_id,
                aws_secret_access_key=key,
                aws_session_token=token,
            )
            client.meta.events.register(EVENT, keep_body)
            return client
        except BotoCoreError as error:
            raise failure(error, "S3", "to connect") from None

    def credentials(self) -> Any:
        """As botocore has them: temporary ones renew themselves; None where there are none.

        Raises: as :meth:`client`.
        """
        from botocore.credentials import Credentials
        from botocore.exceptions import BotoCoreError

        key_id, key, token = self._keys()
        if key_id is not None and key is not None:
            return Credentials(key_id, key, token)
        try:
            return self._chain()[0]
        except BotoCoreError as error:
            raise failure(error, "S3", "to find credentials") from None

    def delta_options(self) -> dict[str, str]:
        """The same for ``deltalake`` and Polars; credentials are those of this moment.

        Raises: as :meth:`client`; PermanentError where there are no credentials at all.
        """
        key_id, key, token = self._keys()
        if key_id is None or key is None:
            key_id, key, token = self._chain_keys()
        options = {
            "aws_access_key_id": key_id,
            "aws_secret_access_key": key,
            "aws_region": self.region or self._chain()[1] or _DEFAULT_REGION,
            "conditional_put": "etag",
        }
        if token:
            options["aws_session_token"] = token
        endpoint = self._endpoint()
        if endpoint is not None:
            options["aws_endpoint"] = endpoint
            options["aws_allow_http"] = str(endpoint.startswith("http://")).lower()
        return options

    def _endpoint(self) -> str | None:
        told = self.endpoint_url
        return resolve_shown(told) if told is not None and is_reference(told) else told

    def _keys(self) -> tuple[str | None, str | None, str | None]:
        key_id, key, token = (
            None if one is None else resolve(one)
            for one in (self.access_key_id, self.secret_access_key, self.session_token)
        )
        return key_id, key, token

    def _chain_keys(self) -> tuple[str, str, str | None]:
        """What AWS's own chain gives, as of now."""
        from botocore.exceptions import BotoCoreError, NoCredentialsError

        try:
            found = self._chain()[0]
            if found is None:
                raise NoCredentialsError
            frozen = found.get_frozen_credentials()
        except BotoCoreError as error:
            raise failure(error, "S3", "to find credentials") from None
        token = None if frozen.token is None else str(frozen.token)
        for secret in (str(frozen.secret_key), token):
            if secret:
                remember(secret)
        return str(frozen.access_key), str(frozen.secret_key), token

    def _chain(self) -> tuple[Any, str | None]:
        environment = sorted(i for i in os.environ.items() if i[0].startswith("AWS_"))
        return _credentials(self.profile, tuple(environment))

    def _session(self) -> Session:
        from botocore.session import Session

        session = Session(profile=self.profile)
        session.register_component("data_loader", _descriptions())
        return session


class GivenClient:
    """A boto3 client that somebody else makes, such as a Dagster resource.

    Args:
        make: gives the client; called again when its keys are refused.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def client(self) -> BaseClient:
        """See :meth:`S3Connection.client`."""
        made = self._make()
        made.meta.events.register(EVENT, keep_body, unique_id="etl_platform")
        return made

    def credentials(self) -> None:
        """Only the client itself knows them."""
        return


@lru_cache(maxsize=8)
def _credentials(
    profile: str | None, environment: tuple[tuple[str, str], ...]
) -> tuple[Any, str | None]:
    """A session's credentials, which renew themselves where they are temporary, and its region.

    ``environment`` is what both were read from: they are read again when it changes.
    """
    from botocore.session import Session

    session = Session(profile=profile)
    return session.get_credentials(), session.get_config_variable("region")


@lru_cache(maxsize=1)
def _descriptions() -> Loader:
    """AWS's descriptions of its services: reading them is most of what a client costs."""
    from botocore.loaders import create_loader

    return create_loader()
