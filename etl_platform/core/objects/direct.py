"""Contents of objects with little around each request, which is most of what small ones cost.

botocore chooses an endpoint, calls its hooks, and parses the answer's headers for every request;
signing and sending take a third of that. So its first request shows where the objects of a bucket
are and how it signs, and further ones are made like it. Whatever is not answered with the content
is asked again by botocore, which repeats, follows and explains.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from etl_platform.core.objects.connection import CONNECTIONS, TIMEOUTS_S

EVENT = "before-send.s3.GetObject"
_SIGNED = re.compile(r"AWS4-HMAC-SHA256 Credential=[^/]+/\d{8}/([^/]+)/s3/aws4_request,")
_EXPECTED = frozenset({404, 412, 416})


class DirectReads:
    """Reads of one bucket. May be used from many threads.

    Args:
        credentials: botocore's; None where requests are not signed.
    """

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials
        self._session: Any = None
        self._seen: tuple[str, str] | None = None
        self._place: tuple[str, str] | None = None
        self._refused = credentials is None
        self._lock = threading.Lock()

    def see(self, request: Any, **_: object) -> None:
        """Take from botocore's own request (:data:`EVENT`) where it goes and how it is signed."""
        text = request.headers.get("Authorization") or b""
        signed = _SIGNED.match(text.decode() if isinstance(text, bytes) else text)
        if signed is not None and "x-amz-s3session-token" not in request.headers:
            self._seen = (str(request.url), signed[1])

    def learn(self, key: str) -> None:
        """After botocore's request for this key: where all other keys are."""
        if self._seen is None or self._refused or self._place is not None:
            return
        url, region = self._seen
        name = quote(key, safe="/~")
        if url.endswith("/" + name):
            self._place = (url.removesuffix(name), region)

    def get(self, key: str, headers: Mapping[str, str]) -> bytes | None:
        """The content; None where botocore has to be asked."""
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.exceptions import BotoCoreError
        from urllib3.exceptions import HTTPError

        place = self._place
        if place is None or self._refused:
            return None
        url, region = place
        request = AWSRequest("GET", url + quote(key, safe="/~"), headers=dict(headers))
        try:
            known = self._credentials.get_frozen_credentials()
            S3SigV4Auth(known, "s3", region).add_auth(request)
            answer = self._connected().send(request.prepare())
            if answer.status_code in (200, 206):
                return answer.content
            expected = answer.status_code in _EXPECTED or answer.status_code >= 500
        except (BotoCoreError, HTTPError, OSError):
            expected = False
        # A proxy, a redirection or a certificate that only botocore knows of: it stays with it.
        self._refused = not expected
        return None

    def _connected(self) -> Any:
        from botocore.httpsession import URLLib3Session

        with self._lock:
            if self._session is None:
                self._session = URLLib3Session(timeout=TIMEOUTS_S, max_pool_connections=CONNECTIONS)
            return self._session
