"""The ways in which a step can end early."""

from __future__ import annotations

from collections.abc import Collection


class CheckFailed(Exception):
    """Something is not as the contract says; the text tells what was seen and what was expected."""


class TimedOut(CheckFailed):
    """Something did not come about in time: the deployment may be wrong, or only slow."""


class Skipped(Exception):
    """A step that the options or the deployment leave out, with the reason."""


class Interrupted(Exception):
    """The run was stopped (a failure with ``--failfast``, or a signal)."""


def check(truth: object, text: str) -> None:
    """Raise ``CheckFailed`` with *text* unless *truth*."""
    if not truth:
        raise CheckFailed(text)


def same(what: str, seen: object, expected: object) -> None:
    """Raise ``CheckFailed`` unless both values are equal."""
    if seen != expected:
        raise CheckFailed(f"{what} is {_short(seen)}, expected {_short(expected)}")


def one_of(what: str, seen: object, allowed: Collection[object]) -> None:
    """Raise ``CheckFailed`` unless *seen* is one of the *allowed* values."""
    if seen not in allowed:
        raise CheckFailed(f"{what} is {_short(seen)}, expected one of {', '.join(map(_short, allowed))}")


def differs(what: str, seen: object, other: object) -> None:
    """Raise ``CheckFailed`` if both values are equal."""
    if seen == other:
        raise CheckFailed(f"{what} is still {_short(seen)}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 300 else text[:300] + "…"
