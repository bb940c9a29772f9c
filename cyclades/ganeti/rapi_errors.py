"""How a call to a Ganeti cluster can fail: refused, unavailable, or unknown."""

from __future__ import annotations


class GanetiApiError(Exception):
    """A call to RAPI failed.

    ``message`` is for logs only: it may hold the cluster's own words, which no user may see.
    ``code`` is the HTTP status of the answer, None when there was none.
    """

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code

    def __str__(self) -> str:
        return self.message if self.code is None else f"{self.code}: {self.message}"


class RapiRefused(GanetiApiError):
    """Ganeti understood the request and said no; nothing happened and asking again will not help."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message, code)

    @property
    def not_found(self) -> bool:
        """Whether the thing asked for does not exist."""
        return self.code == 404


class RapiUnavailable(GanetiApiError):
    """The cluster could not be asked (connection, TLS, credentials, overload); nothing happened."""


class RapiUnknown(GanetiApiError):
    """The request was sent and no usable answer came: it may or may not have taken effect."""
