"""A database: where it is, how patiently it is asked, never who may use it."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, urlencode

from etl_platform.core.errors import (
    ConfigError,
    EtlError,
    PermanentError,
    SourceUnavailable,
    TransientError,
)
from etl_platform.core.secrets import check_no_literal_secret, is_reference, redact, resolve
from etl_platform.core.stopping import stoppable
from etl_platform.sources.database.dialects import dialect_of
from etl_platform.sources.database.dialects.base import PoolSettings
from etl_platform.sources.database.login import Login

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

    from etl_platform.sources.database.dialects.base import Dialect, Fault


class FaultJudge(Protocol):
    """Who knows what the errors of a driver mean."""

    @property
    def driver_errors(self) -> tuple[type[Exception], ...]:
        """Base classes of what the driver itself raises."""
        ...

    def judge(self, error: BaseException) -> Fault:
        """Judge one of :attr:`driver_errors`."""
        ...


@dataclass(frozen=True)
class Database:
    """A database to read from or write to. Making one neither connects nor resolves a secret.

    Args:
        name: what people call it, for messages.
        url_ref: a secret reference (``env://SHOP_URL``) or a URL without password. The schemes
            ``postgresql``, ``mysql``, ``mariadb``, ``sqlite`` and ``duckdb`` are known, with or
            without a driver.
        pool: connections and timeouts.

    Raises:
        ConfigError: the URL holds a password.
    """

    name: str
    url_ref: str
    pool: PoolSettings = field(default_factory=PoolSettings)
    _login: Login = field(default_factory=Login, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_no_literal_secret(self.url_ref)

    @property
    def redacted(self) -> str:
        """The reference or URL as it may be shown; resolves nothing."""
        return self.url_ref if is_reference(self.url_ref) else redact(self.url_ref)

    @cached_property
    def dialect(self) -> Dialect:
        """The kind of database.

        Raises:
            ConfigError: no such kind, or what the reference holds is no URL.
            SecretError: the reference does not resolve.
        """
        return dialect_of(self.url.drivername)

    def engine(self) -> Engine:
        """The pooled SQLAlchemy engine; connects when it is first used.

        The reference is read at each call. As long as it holds the same, so is the engine; after a
        rotation there is another one, and no connection of the old password is handed out again.

        Raises:
            ConfigError, SecretError: as :attr:`dialect`.
            TransientError: AWS did not answer.
        """
        return self._login.engine(self._resolved_url(), self._open)

    @contextmanager
    def session(self, snapshot: str | None = None) -> Generator[Connection]:
        """A connection inside a read-only transaction on one snapshot, rolled back at the end.

        Args:
            snapshot: of another session, as it exported it; None for one of its own.

        Raises:
            SourceUnavailable: unreachable, restarting, overloaded, timed out.
            PermanentError: login refused, or the database refuses a statement.
        """
        engine = self.engine()
        with self.faults("connecting"):
            connection = engine.connect()
        try:
            stop = self.dialect.stopping(connection)
            with stoppable(stop), self.faults("reading"):
                if snapshot is None:
                    yield self.dialect.start(connection, self.pool)
                else:
                    yield self.dialect.start_on(connection, self.pool, snapshot)
        except BaseException:
            # A lost connection cannot be rolled back, and trying hides why it was lost. One that
            # only ended in the middle of a result is not worth the risk.
            connection.invalidate()
            connection.close()
            raise
        self._end(connection)

    def stop_named(self, application: str) -> None:
        """Stop the statements of a driver's own connections, which go by this name.

        Raises:
            SourceUnavailable, PermanentError: as connecting does.
        """
        with self.faults("stopping a statement"), self._apart() as connection:
            self.dialect.stop_named(connection, application)

    @contextmanager
    def _apart(self) -> Generator[Connection]:
        """A connection outside of the pool, whose places may all be taken."""
        engine = self._open(self.url)
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()

    def _end(self, connection: Connection) -> None:
        """Roll back and give the connection back to the pool.

        Everything was read by now: a server that is lost here takes nothing away.
        """
        from sqlalchemy.exc import SQLAlchemyError

        with suppress(SQLAlchemyError, *self.dialect.driver_errors):
            connection.close()

    @contextmanager
    def faults(
        self,
        doing: str,
        judge: FaultJudge | None = None,
        unavailable: type[TransientError] = SourceUnavailable,
    ) -> Generator[None]:
        """Turn errors of SQLAlchemy and the driver into the platform's, without secrets.

        The driver's exception is not chained: its text is kept, redacted, and its other attributes
        may hold what must not be shown.

        Args:
            doing: for the message.
            judge: of the driver that is used; default the dialect.
            unavailable: what is raised where a retry can help.
        """
        from sqlalchemy.exc import SQLAlchemyError

        judge = judge or self.dialect
        try:
            yield
        except EtlError:
            raise
        except (SQLAlchemyError, *judge.driver_errors) as error:
            raise self._translated(error, doing, judge, unavailable) from None

    def private_url(self, scheme: str, options: Mapping[str, str]) -> str:
        """The whole URL, password included, for a driver that connects by itself. Never show it."""
        url = self.fresh_url().set(drivername=scheme).render_as_string(hide_password=False)
        # SQLAlchemy leaves a space of a password as it is, which libpq refuses.
        url = url.replace(" ", "%20")
        # Not by SQLAlchemy, which writes a space as a plus: other drivers keep the plus.
        query = urlencode(dict(options), quote_via=quote)
        return url + ("&" if "?" in url else "?") + query if query else url

    def shown(self, error: BaseException) -> str:
        """An error's text on one line, without the credentials of this database."""
        return self._redacted_text(error)

    def close(self) -> None:
        """Close pooled connections; the next use opens new ones."""
        self._login.close()

    @property
    def url(self) -> URL:
        """The whole URL as it was last read, password included. Never show it.

        Raises:
            ConfigError: what the reference holds is no URL.
            SecretError: the reference does not resolve.
        """
        return self._login.url or self.fresh_url()

    def fresh_url(self) -> URL:
        """:attr:`url`, read again now: for whoever opens connections without the pool."""
        return self._login.renew(self._resolved_url())

    def _open(self, url: URL) -> Engine:
        return self.dialect.create_engine(url, self.pool)

    def _resolved_url(self) -> URL:
        from sqlalchemy import make_url
        from sqlalchemy.exc import ArgumentError

        text = resolve(self.url_ref) if is_reference(self.url_ref) else self.url_ref
        try:
            return make_url(text.strip())
        except (ArgumentError, ValueError):
            raise ConfigError(
                f"database {self.name!r}: what {self.redacted} holds is not a database URL",
                valid="postgresql://user:password@host:5432/database, mysql://... or "
                "sqlite:////path/file.db; "
                "characters such as @ / : in a password are written %40 %2F %3A",
            ) from None

    def _translated(
        self, error: Exception, doing: str, judge: FaultJudge, unavailable: type[TransientError]
    ) -> EtlError:
        from sqlalchemy.exc import DBAPIError
        from sqlalchemy.exc import TimeoutError as PoolTimeout

        original = error.orig if isinstance(error, DBAPIError) and error.orig else error
        text = self._redacted_text(original)
        what = f"database {self.name!r} ({self.redacted}), {doing}: {text}"
        if isinstance(error, PoolTimeout):
            return unavailable(what, fix="read fewer tables at a time, or raise pool.size")
        if not isinstance(original, judge.driver_errors):
            return PermanentError(what)
        fault = judge.judge(original)
        kind = unavailable if fault.transient else PermanentError
        return kind(what, fix=fault.fix)

    def _redacted_text(self, error: BaseException) -> str:
        password = str(self.url.password or "")
        return redact(" ".join(str(error).split()), [password, quote(password, safe="")])
