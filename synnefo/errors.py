"""The one error hierarchy; each API dialect renders it, commands print it, pages show it.

An error's class decides the HTTP status and the fault key; ``message`` is for people and names the
resource, the limit, the value now and what changes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class SynnefoError(Exception):
    """Base of everything a use case may raise.

    ``data`` is a machine-readable part that replaces ``details`` in the fault body.
    """

    code: ClassVar[int] = 500
    name: ClassVar[str] = "internalServerError"

    def __init__(
        self, message: str = "", *, details: str = "", data: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        self.data = dict(data) if data is not None else None
        self.headers: dict[str, str] = {}


class NotModified(SynnefoError):
    """Nothing changed since the moment the client named; answered without a body."""

    code = 304
    name = "notModified"


class BadRequest(SynnefoError):
    """The request is malformed or asks for something that can't be."""

    code = 400
    name = "badRequest"


class WrongState(BadRequest):
    """The resource is in no state for this; dialects that tell that from malformed requests can."""


class Deleted(BadRequest):
    """The resource still has a row, but is deleted; dialects that hide such resources can."""


class Unauthorized(SynnefoError):
    """Missing, unknown or expired credentials."""

    code = 401
    name = "unauthorized"


class Forbidden(SynnefoError):
    """The caller may see the resource but not do this."""

    code = 403
    name = "forbidden"


class NotFound(SynnefoError):
    """The resource does not exist or the caller may not know of it."""

    code = 404
    name = "itemNotFound"


class MethodNotAllowed(SynnefoError):
    """The path exists, the verb does not apply to it."""

    code = 405
    name = "notAllowed"

    def __init__(self, message: str = "Method not allowed", *, allowed: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.allowed = tuple(allowed)
        if allowed:
            self.headers["Allow"] = ",".join(allowed)


class NotAcceptable(SynnefoError):
    """The client wants the answer in a form or version that is not there."""

    code = 406
    name = "notAcceptable"


class Conflict(SynnefoError):
    """The state of the resource, or another one, forbids this now."""

    code = 409
    name = "conflict"


class BuildInProgress(Conflict):
    """The server is still being built."""

    name = "buildInProgress"


class LengthRequired(SynnefoError):
    """A body without a usable length."""

    code = 411
    name = "lengthRequired"


class PreconditionFailed(SynnefoError):
    """A conditional header does not hold."""

    code = 412
    name = "preconditionFailed"


class OverLimit(SynnefoError):
    """A quota or a documented limit would be exceeded."""

    code = 413
    name = "overLimit"


class RequestTooLarge(SynnefoError):
    """The store's own form of over limit (object storage contract 2.6)."""

    code = 413
    name = "requestEntityTooLarge"


class UnsupportedMediaType(SynnefoError):
    """The body is of a kind that the call does not take."""

    code = 415
    name = "badMediaType"


class RangeNotSatisfiable(SynnefoError):
    """The byte range lies outside the object."""

    code = 416
    name = "rangeNotSatisfiable"


class Unprocessable(SynnefoError):
    """The body arrived but does not match its checksum."""

    code = 422
    name = "unprocessableEntity"


class TooManyRequests(SynnefoError):
    """The client asks too often; it may try again after ``retry_after`` seconds."""

    code = 429
    name = "overLimit"

    def __init__(self, message: str = "Too many requests", *, retry_after: int = 60) -> None:
        super().__init__(message)
        self.headers["Retry-After"] = str(retry_after)


class NotImplementedFault(SynnefoError):
    """The dialect knows the call, this service does not offer it."""

    code = 501
    name = "notImplemented"


class ServiceUnavailable(SynnefoError):
    """Something behind the service is away; the client may try again after ``retry_after`` seconds."""

    code = 503
    name = "serviceUnavailable"

    def __init__(
        self, message: str = "Service unavailable", *, details: str = "", retry_after: int = 5
    ) -> None:
        super().__init__(message, details=details)
        self.headers["Retry-After"] = str(retry_after)


class InsufficientStorage(SynnefoError):
    """The block store has no room."""

    code = 507
    name = "insufficientStorage"
