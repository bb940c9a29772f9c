"""The deployment's APIs, found through the service catalogue of the identity service."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from cyclades.burnin.failures import CheckFailed

log = logging.getLogger("snf-burnin")

#: The version of each dialect that the checks are written for; other services have one.
_VERSIONS = {
    "compute": "v2.0",
    "network": "v2.0",
    "image": "v1.0",
    "volume": "v2.0",
    "object-store": "v1",
    "account": "v1.0",
    "identity": "v2.0",
}
#: Seconds for one request; an upload of a large object may take its time.
_SECONDS = 180.0

Status = int | tuple[int, ...]
Json = Any


class NotOffered(CheckFailed):
    """The service catalogue has no such service."""


class UnexpectedStatus(CheckFailed):
    """An answer had another status than the contract says."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Access:
    """Who the token belongs to."""

    user_id: str
    user_name: str
    default_project: str
    projects: tuple[str, ...]


class Client:
    """One user's view of a deployment; used by several suites at the same time."""

    def __init__(self, auth_url: str, token: str, *, verify: bool = True) -> None:
        self.auth_url = auth_url.rstrip("/")
        self.token = token
        self.http = httpx.Client(verify=verify, timeout=_SECONDS, limits=httpx.Limits(max_connections=64))
        self.endpoints: dict[str, str] = {}

    def close(self) -> None:
        """Give the connections back."""
        self.http.close()

    def authenticate(self, token: str | None = None) -> httpx.Response:
        """Ask the identity service about a token; returns its answer whatever the status."""
        body = {"auth": {"token": {"id": self.token if token is None else token}}}
        return self._send("POST", f"{self.auth_url}/tokens", json=body)

    def connect(self) -> Access:
        """Learn who we are and where the services are."""
        answer = self.authenticate()
        if answer.status_code != 200:
            raise CheckFailed(f"{self.auth_url}/tokens answers {answer.status_code}: {answer.text[:300]}")
        access = answer.json()["access"]
        for entry in access["serviceCatalog"]:
            self.endpoints[entry["type"]] = _endpoint(entry)
        return read_access(access)

    def access(self) -> Access:
        """Who we are now."""
        return read_access(self.authenticate().json()["access"])

    def offers(self, service: str) -> bool:
        """Whether the catalogue has a service of this type."""
        return service in self.endpoints

    def url(self, service: str) -> str:
        """The address of a service."""
        if service not in self.endpoints:
            raise NotOffered(f"the service catalogue has no '{service}' service")
        return self.endpoints[service]

    def ask(
        self, service: str, method: str, path: str, *, expect: Status | None = 200, **options: Any
    ) -> httpx.Response:
        """One request to a service; ``expect`` None accepts every status."""
        headers = {"X-Auth-Token": self.token, **options.pop("headers", {})}
        target = f"{self.url(service)}/{path.lstrip('/')}"
        answer = self._send(method, target, headers=headers, **options)
        allowed = (expect,) if isinstance(expect, int) else expect
        if allowed is not None and answer.status_code not in allowed:
            wanted = " or ".join(map(str, allowed))
            text = f"{method} {service}:{path} answers {answer.status_code}, expected {wanted}"
            raise UnexpectedStatus(f"{text}: {_body(answer)}", answer.status_code)
        return answer

    def call(
        self, service: str, method: str, path: str, *, expect: Status | None = 200, **options: Any
    ) -> Json:
        """One request to a service; returns the decoded JSON, or None when the answer has no body."""
        answer = self.ask(service, method, path, expect=expect, **options)
        if not answer.content:
            return None
        try:
            return answer.json()
        except ValueError:
            raise CheckFailed(f"{method} {service}:{path} answers no JSON: {_body(answer)}") from None

    def _send(self, method: str, url: str, **options: Any) -> httpx.Response:
        started = time.monotonic()
        try:
            answer = self.http.request(method, url, **options)
        except httpx.HTTPError as error:
            log.info("%s %s: %s", method, url, error)
            raise CheckFailed(f"{method} {url}: no answer ({type(error).__name__}: {error})") from None
        milliseconds = 1000 * (time.monotonic() - started)
        request_id = answer.headers.get("x-request-id", "-")
        log.info(
            "%s %s: %d in %.0f ms, request %s", method, url, answer.status_code, milliseconds, request_id
        )
        if answer.status_code >= 500:
            raise UnexpectedStatus(
                f"{method} {url} answers {answer.status_code}: {_body(answer)}", answer.status_code
            )
        return answer


def read_access(access: Mapping[str, Any]) -> Access:
    """Read the answer of the identity service."""
    user = access["user"]
    projects = tuple(user.get("projects", ()))
    return Access(user["id"], user["name"], access["token"]["tenant"]["id"], projects)


def _endpoint(entry: Mapping[str, Any]) -> str:
    wanted = _VERSIONS.get(entry["type"])
    found = [point for point in entry["endpoints"] if point.get("versionId") == wanted] or entry["endpoints"]
    url = str(found[0]["publicURL"]).rstrip("/") if found else ""
    # Some services are registered without their version; clients add it.
    if wanted and not url.endswith(f"/{wanted}"):
        url += f"/{wanted}"
    return url


def _body(answer: httpx.Response) -> str:
    kind = answer.headers.get("content-type", "")
    return answer.text[:400] if "json" in kind or "text" in kind or "xml" in kind else "(no text)"
