"""Errors in the words of Nova (compute contract 22.1)."""

from __future__ import annotations

from cyclades.api.compute.profile import UnknownPath
from cyclades.logic.volume_attachments import NoSuchVolume
from synnefo.errors import (
    Conflict,
    Deleted,
    Forbidden,
    MethodNotAllowed,
    NotFound,
    OverLimit,
    SynnefoError,
    WrongState,
)


class ConflictingRequest(Conflict):
    """The state of the resource forbids this now."""

    name = "conflictingRequest"


class BadMethod(MethodNotAllowed):
    """The verb does not apply to the path."""

    name = "badMethod"


class ComputeFault(SynnefoError):
    """Anything unexpected."""

    name = "computeFault"


#: The first class that an error is of decides; what is not here stays as it is.
_CLASSES: tuple[tuple[type[SynnefoError], type[SynnefoError]], ...] = (
    (UnknownPath, NotFound),
    (Deleted, NotFound),
    (NoSuchVolume, NotFound),
    (WrongState, ConflictingRequest),
    (OverLimit, Forbidden),
    (Conflict, ConflictingRequest),
)


def nova_fault(error: SynnefoError) -> SynnefoError:
    """Return *error* as Nova would have it: 409 for a wrong state, 403 for quota, 404 for what is gone."""
    if isinstance(error, MethodNotAllowed):
        return BadMethod(error.message, allowed=error.allowed)
    if type(error) is SynnefoError:
        return ComputeFault(error.message, details=error.details)
    for ours, theirs in _CLASSES:
        if isinstance(error, ours):
            translated = theirs(error.message, details=error.details, data=error.data)
            translated.headers.update(error.headers)
            return translated
    return error
