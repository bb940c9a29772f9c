"""One HTTPS request to Ganeti's remote API and the classification of how it ends.

See `cyclades.ganeti.rapi` for the calls and `cyclades.ganeti.rapi_errors` for the failures.
"""

from __future__ import annotations

import json
import secrets
import ssl
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlencode

import httpx

from cyclades.ganeti.rapi_errors import GanetiApiError, RapiRefused, RapiUnavailable, RapiUnknown
from cyclades.ganeti.rapi_pool import RapiPool
from synnefo.tls import unverified_context

#: Ganeti's HTTP server drops the connection, without an answer, for longer start lines.
MAX_START_LINE_BYTES = 8192
GET_ATTEMPTS = 3
RETRY_DELAY_MS = 200

JsonObject = dict[str, Any]


class RapiTransport:
    """Sends requests to one cluster; may be shared between threads.

    ``verify`` demands a certificate for ``host`` from a known authority (or from ``ca_file``).
    ``ca_file`` alone pins the certificate or authority in that file without comparing names: Ganeti's own
    certificate is self-signed and carries a fixed name. Timeouts are in seconds. ``pool`` limits and
    protects; without one calls are unlimited. ``transport`` replaces the network in tests.
    """

    def __init__(
        self,
        host: str,
        port: int,
        username: str,
        password: str,
        *,
        ca_file: str | Path | None = None,
        verify: bool = False,
        connect_timeout: float = 5.0,
        read_timeout: float = 30.0,
        pool: RapiPool | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.pool = pool
        self.read_timeout = read_timeout
        self._connect_timeout = connect_timeout
        self._http = httpx.Client(
            base_url=f"https://{f'[{host}]' if ':' in host else host}:{port}",
            auth=httpx.BasicAuth(username, password),
            verify=_tls_context(ca_file, verify) if transport is None else True,
            limits=httpx.Limits(max_keepalive_connections=0),
            follow_redirects=False,
            trust_env=False,
            transport=transport,
        )

    def close(self) -> None:
        """Release sockets; the client is unusable afterwards."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def _job(
        self,
        method: str,
        path: str,
        body: JsonObject | None = None,
        *,
        query: Sequence[tuple[str, str]] = (),
        dry_run: bool = False,
        reason: str | None = None,
        read_timeout: float | None = None,
    ) -> int:
        parameters = list(query)
        if dry_run:
            parameters.append(("dry-run", "1"))
        if reason is not None:
            parameters.append(("reason", reason))
        answer = self._request(method, path, body, parameters, read_timeout=read_timeout)
        # Some Ganeti versions send ids as text; nothing else is a job id.
        if isinstance(answer, bool) or not isinstance(answer, int | str) or not str(answer).isdigit():
            raise RapiUnknown("the answer holds no job id")
        return int(answer)

    def _get(self, path: str, query: Sequence[tuple[str, str]] = ()) -> Any:
        for attempt in range(1, GET_ATTEMPTS + 1):
            try:
                return self._request("GET", path, None, query)
            except _Retryable:
                if attempt == GET_ATTEMPTS or (self.pool is not None and self.pool.is_open):
                    raise
                time.sleep((RETRY_DELAY_MS * attempt + secrets.randbelow(RETRY_DELAY_MS)) / 1000)
        raise AssertionError("unreachable")

    def _get_object(self, path: str, query: Sequence[tuple[str, str]] = ()) -> JsonObject:
        answer = self._get(path, query)
        if not isinstance(answer, dict):
            raise RapiUnavailable(f"GET {path}: the answer is not an object")
        return answer

    def _get_list(self, path: str, query: Sequence[tuple[str, str]] = ()) -> list[Any]:
        answer = self._get(path, query)
        if not isinstance(answer, list):
            raise RapiUnavailable(f"GET {path}: the answer is not a list")
        return answer

    def _request(
        self,
        method: str,
        path: str,
        body: JsonObject | None = None,
        query: Sequence[tuple[str, str]] = (),
        *,
        read_timeout: float | None = None,
    ) -> Any:
        url = f"{path}?{urlencode(query, quote_via=quote, safe=':*/@')}" if query else path
        if len(method) + len(url) + len("  HTTP/1.1\r\n") > MAX_START_LINE_BYTES:
            raise RapiRefused(414, "the request line is longer than Ganeti accepts")
        request = self._http.build_request(
            method,
            url,
            content=None if body is None else json.dumps(body).encode(),
            # Anything else, even a charset, is answered with 415.
            headers={} if body is None else {"Content-Type": "application/json"},
            timeout=httpx.Timeout(read_timeout or self.read_timeout, connect=self._connect_timeout),
        )
        if self.pool is None:
            return self._exchange(request)
        with self.pool.place():
            return self._exchange(request)

    def _exchange(self, request: httpx.Request) -> Any:
        what = f"{request.method} {request.url.path}"
        try:
            response = self._http.send(request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise _Retryable(f"{what}: cannot connect: {error}") from error
        except (httpx.LocalProtocolError, httpx.UnsupportedProtocol) as error:
            raise RapiUnavailable(f"{what}: cannot be sent: {error}") from error
        except httpx.RequestError as error:
            reason = f"{what}: no answer: {type(error).__name__} {error}"
            if request.method != "GET":
                raise RapiUnknown(reason) from error
            # A server that hangs would hang again; a connection that broke may have been bad luck.
            if isinstance(error, httpx.TimeoutException):
                raise RapiUnavailable(reason) from error
            raise _Retryable(reason) from error
        if not response.is_success:
            raise _failure(request.method, what, response)
        try:
            return response.json()
        except ValueError as error:
            message = f"{what}: the answer is not JSON"
            if request.method == "GET":
                raise RapiUnavailable(message, response.status_code) from error
            raise RapiUnknown(message, response.status_code) from error


class _Retryable(RapiUnavailable):
    """A failure that may be gone a moment later."""


def _failure(method: str, what: str, response: httpx.Response) -> GanetiApiError:
    """Classify an error answer."""
    code = response.status_code
    text = _error_text(response)
    message = f"{what}: {text}"
    if code in (401, 403):
        # The administrator has to fix the account; the request itself may be fine.
        return RapiUnavailable(message, code)
    if code < 500 or code == 501:
        return RapiRefused(code, message)
    if code == 500 and ("unknown_entity" in text or "Can't load job file" in text):
        return RapiRefused(404, message)
    if code == 502 and "Failed to parse request" in text:
        # The master daemon understood that the job makes no sense.
        return RapiRefused(400, message)
    if code in (502, 503):
        # Ganeti's way to say that it could not hand the job to its master daemon.
        return _Retryable(message, code)
    return RapiUnavailable(message, code) if method == "GET" else RapiUnknown(message, code)


def _error_text(response: httpx.Response) -> str:
    """Return Ganeti's explanation; it escapes quotes as if it were writing HTML."""
    try:
        body = response.json()
    except ValueError:
        return response.text[:500]
    text = str(body.get("message", "")) if isinstance(body, dict) else str(body)
    for escape, character in (("&#x27;", "'"), ("&quot;", '"'), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(escape, character)
    return text[:2000]


def _tls_context(ca_file: str | Path | None, verify: bool) -> ssl.SSLContext:
    if ca_file is None and not verify:
        return unverified_context()
    context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    context.check_hostname = verify
    return context
