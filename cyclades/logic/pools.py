"""Pools of values as two bit maps, without a database (network contract 8).

A value is free when both maps have its bit: ``available`` is what was not handed out, ``reserved`` what an
administrator does not withhold. The maps are stored as base64 of big-endian bits padded with zeros.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

#: The largest pool: every MAC prefix of 20 bits.
MAX_POOL_SIZE = 1 << 20
_MAC_PREFIX = re.compile(r"^[0-9a-f]{2}:[0-9a-f]{2}:[0-9a-f]$")
_PREFIX_DIGITS = 5
_PREFIX_BITS = 4 * _PREFIX_DIGITS


class PoolError(Exception):
    """Base of what a pool refuses."""


class PoolExhausted(PoolError):
    """No value is free."""


class ValueNotAvailable(PoolError):
    """The value is handed out or reserved."""


class InvalidValue(PoolError):
    """The value does not belong to the pool."""


class BitPool:
    """A pool of *size* indexes; empty map texts stand for a pool that was never used.

    Both maps are kept as integers whose highest bit is index 0, which makes the lowest free index one
    machine operation per word. Raises ``InvalidValue`` for maps that do not fit the size.
    """

    def __init__(self, size: int, available_map: str = "", reserved_map: str = "") -> None:
        if not 0 < size <= MAX_POOL_SIZE:
            raise InvalidValue(f"A pool has 1 to {MAX_POOL_SIZE} values, not {size}")
        self.size = size
        self._available = self._decode(available_map)
        self._reserved = self._decode(reserved_map)

    @property
    def _width(self) -> int:
        return -(-self.size // 8) * 8

    @property
    def _all(self) -> int:
        """Return every bit of the pool set, padding clear."""
        return ((1 << self.size) - 1) << (self._width - self.size)

    def _decode(self, text: str) -> int:
        if not text:
            return self._all
        try:
            raw = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidValue("The pool's map is not base64") from error
        if len(raw) * 8 != self._width:
            raise InvalidValue(f"The pool's map has {len(raw)} bytes, which is not the size {self.size}")
        return int.from_bytes(raw, "big") & self._all

    def _encode(self, bits: int) -> str:
        return base64.b64encode(bits.to_bytes(self._width // 8, "big")).decode("ascii")

    @property
    def available_map(self) -> str:
        """Return the map of what was not handed out, as it is stored."""
        return self._encode(self._available)

    @property
    def reserved_map(self) -> str:
        """Return the map of what is not withheld, as it is stored."""
        return self._encode(self._reserved)

    def _bit(self, index: int) -> int:
        if not 0 <= index < self.size:
            raise InvalidValue(f"{index} is outside the pool of {self.size} values")
        return 1 << (self._width - 1 - index)

    def take_first(self) -> int:
        """Hand out the lowest free index; raises ``PoolExhausted``."""
        free = self._available & self._reserved
        if not free:
            raise PoolExhausted("No value of the pool is free")
        index = self._width - free.bit_length()
        self._available &= ~self._bit(index)
        return index

    def take(self, index: int) -> None:
        """Hand out *index*; raises ``InvalidValue`` or ``ValueNotAvailable``."""
        if not self.is_free(index):
            raise ValueNotAvailable(f"Value {index} of the pool is not available")
        self._available &= ~self._bit(index)

    def give_back(self, index: int) -> None:
        """Take *index* back; a value reserved meanwhile stays reserved."""
        self._available |= self._bit(index)

    def mark_used(self, index: int) -> None:
        """Note that *index* is in use, whatever the maps said."""
        self._available &= ~self._bit(index)

    def reserve(self, index: int) -> None:
        """Withhold *index* from being handed out."""
        self._reserved &= ~self._bit(index)

    def reserve_all(self, indexes: Iterable[int]) -> None:
        """Withhold many indexes of the pool at once."""
        marks = bytearray(self._width // 8)
        for index in indexes:
            marks[index >> 3] |= 0x80 >> (index & 7)
        self._reserved &= ~int.from_bytes(marks, "big")

    def unreserve(self, index: int) -> None:
        """Stop withholding *index*."""
        self._reserved |= self._bit(index)

    def is_free(self, index: int) -> bool:
        """Tell whether *index* can be handed out."""
        return bool(self._available & self._reserved & self._bit(index))

    def is_available(self, index: int) -> bool:
        """Tell whether *index* was not handed out."""
        return bool(self._available & self._bit(index))

    def is_reserved(self, index: int) -> bool:
        """Tell whether *index* is withheld."""
        return not self._reserved & self._bit(index)

    def count_free(self) -> int:
        """Return how many values can be handed out."""
        return (self._available & self._reserved).bit_count()

    def count_reserved(self) -> int:
        """Return how many values are withheld."""
        return self.size - self._reserved.bit_count()

    def used_indexes(self) -> set[int]:
        """Return the indexes that are handed out."""
        return {index for index, mark in enumerate(self.available_text()) if mark == "X"}

    def reserved_indexes(self) -> list[int]:
        """Return the withheld indexes in order."""
        return [index for index, mark in enumerate(self.reserved_text()) if mark == "X"]

    def resize(self, size: int) -> None:
        """Add free values at the end or drop the last ones; raises ``ValueNotAvailable`` if one is in use."""
        resized = BitPool(size)
        added = size - self.size
        maps = [bits >> (self._width - self.size) for bits in (self._available, self._reserved)]
        if added < 0 and (~maps[0]) & ((1 << -added) - 1):
            raise ValueNotAvailable("A value at the end of the pool is in use")
        if added < 0:
            maps = [bits >> -added for bits in maps]
        else:
            maps = [(bits << added) | ((1 << added) - 1) for bits in maps]
        self.size = size
        self._available, self._reserved = (bits << (resized._width - size) for bits in maps)

    def text(self) -> str:
        """Return the free map for people: ``.`` free, ``X`` not."""
        return self._text(self._available & self._reserved)

    def available_text(self) -> str:
        """Return the map of what was handed out: ``X``."""
        return self._text(self._available)

    def reserved_text(self) -> str:
        """Return the map of what is withheld: ``X``."""
        return self._text(self._reserved)

    def _text(self, bits: int) -> str:
        digits = format(bits, f"0{self._width}b")[: self.size]
        return digits.replace("1", ".").replace("0", "X")


class Values(Protocol):
    """How the values of a pool are numbered."""

    def value(self, index: int) -> str:
        """Return the value at *index*."""

    def index(self, value: str) -> int:
        """Return where *value* is; raises ``InvalidValue`` for what can't be in the pool."""


@dataclass(frozen=True)
class BridgeValues:
    """Bridges ``<base>1``, ``<base>2``, …"""

    base: str

    def value(self, index: int) -> str:
        """Return the bridge at *index*."""
        return f"{self.base}{index + 1}"

    def index(self, value: str) -> int:
        """Return the place of bridge *value*."""
        number = value.removeprefix(self.base)
        if not value.startswith(self.base) or not re.fullmatch(r"[1-9][0-9]{0,8}", number):
            raise InvalidValue(f"'{value}' is not a bridge of the pool '{self.base}'")
        return int(number) - 1


@dataclass(frozen=True)
class MacPrefixValues:
    """MAC prefixes of two and a half octets, counted upwards from *base*."""

    base: str

    def value(self, index: int) -> str:
        """Return the prefix at *index*."""
        number = prefix_number(self.base) + index
        digits = f"{number:0{_PREFIX_DIGITS}x}"
        if len(digits) != _PREFIX_DIGITS:
            raise InvalidValue(f"Prefix {index} after {self.base} does not exist")
        return f"{digits[:2]}:{digits[2:4]}:{digits[4]}"

    def index(self, value: str) -> int:
        """Return the place of prefix *value*."""
        return prefix_number(value) - prefix_number(self.base)


@dataclass(frozen=True)
class AddressValues:
    """IPv4 addresses of *cidr*, from its network address plus *offset*."""

    cidr: str
    offset: int

    @property
    def _first(self) -> int:
        return int(ipaddress.IPv4Network(self.cidr).network_address) + self.offset

    def value(self, index: int) -> str:
        """Return the address at *index*."""
        return str(ipaddress.IPv4Address(self._first + index))

    def index(self, value: str) -> int:
        """Return the place of address *value*."""
        try:
            return int(ipaddress.IPv4Address(value)) - self._first
        except ValueError as error:
            raise InvalidValue(f"'{value}' is not an IPv4 address") from error


def is_mac_prefix(text: str) -> bool:
    """Tell whether *text* is two and a half octets in lower case, such as ``aa:00:0``."""
    return bool(_MAC_PREFIX.match(text)) and not text.endswith("\n")


def prefix_number(prefix: str) -> int:
    """Return a MAC prefix as a number of 20 bits; raises ``InvalidValue``."""
    if not is_mac_prefix(prefix):
        raise InvalidValue(f"'{prefix}' is not a MAC prefix such as aa:00:0")
    return int(prefix.replace(":", ""), 16)


def reserve_unusable_prefixes(pool: BitPool, values: MacPrefixValues, start: int = 0) -> None:
    """Withhold, from index *start* on, index 0 and what is not unicast and locally administered."""
    first = prefix_number(values.base)
    pool.reserve_all(
        index
        for index in range(start, pool.size)
        if index == 0 or (first + index) >> (_PREFIX_BITS - 8) & 0b11 != 0b10
    )
