"""Quantities as administrators write and read them (administrator's contract 1.2)."""

from __future__ import annotations

import re

#: "Unlimited": the largest signed 64-bit integer.
INF = 2**63 - 1

_SUFFIXES = {"": 0, "b": 0, "bytes": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_PATTERN = re.compile(r"^(\d+(?:\.\d+)?)\s*([a-z]*)$", re.IGNORECASE)
STYLES = ("b", "kb", "mb", "gb", "tb", "pb", "auto", "none")


def parse_size(text: str, *, suffixes: bool = True) -> int:
    """Return the number that *text* stands for, with base-1024 suffixes unless *suffixes* is false.

    Accepts ``inf`` and ``infinite``. Raises ``ValueError`` with an explanation otherwise.
    """
    text = text.strip()
    if text.lower() in ("inf", "infinite"):
        return INF
    match = _PATTERN.match(text)
    if match is None:
        raise ValueError(
            f"'{text}' is not a number with an optional unit (for example 20, 512MB, 1.5GiB, inf)"
        )
    number, suffix = match.group(1), match.group(2).lower()
    power = _power(suffix)
    if power is None or (suffix and not suffixes):
        raise ValueError(f"'{text}' has the unknown or unsuitable unit '{match.group(2)}'")
    value = int(float(number) * 1024**power) if "." in number else int(number) * 1024**power
    return min(value, INF)


def _power(suffix: str) -> int | None:
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix]
    head, tail = suffix[:1], suffix[1:]
    return _SUFFIXES.get(head) if tail in ("b", "ib") and head in _SUFFIXES else None


def format_size(value: int, *, unit: str | None = "bytes", style: str = "mb") -> str:
    """Return *value* for people: ``inf``, a plain count, or bytes in the chosen *style*."""
    if value >= INF:
        return "inf"
    if unit != "bytes" or style == "none":
        return str(value)
    names = ("b", "kb", "mb", "gb", "tb", "pb")
    if style == "auto":
        power = 0
        while power < 5 and value >= 1024 ** (power + 1):
            power += 1
    else:
        power = names.index(style)
    scaled = value / 1024**power
    return f"{_digits(scaled)} {names[power].upper()}" if power else f"{value} B"


def _digits(number: float) -> str:
    if number == int(number):
        return str(int(number))
    if number < 1:
        return f"{number:.3f}"
    return f"{number:.2f}" if number < 10 else f"{number:.1f}"
