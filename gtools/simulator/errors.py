"""Failures inside the simulated cluster, in the shape Ganeti writes them into a job's result."""

from __future__ import annotations


class OpError(Exception):
    """An opcode failed; ``kind`` is the name of Ganeti's exception class, ``code`` its error code."""

    def __init__(self, kind: str, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.code = code

    def result(self) -> list[object]:
        """Return the job result that Ganeti encodes for this exception."""
        arguments = [self.message] if self.code is None else [self.message, self.code]
        return [self.kind, arguments]


def prerequisite(message: str, code: str | None = None) -> OpError:
    """Return the error of an opcode that may not run in the cluster's present state."""
    return OpError("OpPrereqError", message, code)


def execution(message: str) -> OpError:
    """Return the error of an opcode that broke off while it ran."""
    return OpError("OpExecError", message)


class HttpError(Exception):
    """A request that RAPI answers with an error status."""

    def __init__(
        self, status: int, message: str | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message or str(status))
        self.status = status
        self.message = message
        self.headers = headers or {}
