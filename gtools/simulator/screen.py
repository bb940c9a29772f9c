"""A text screen as RFB shows it: lines of letters, drawn in whatever pixels the viewer asked for."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache

from gtools.simulator import glyphs

_SCALE = 2
CELL_WIDTH, CELL_HEIGHT = 12, 18
COLUMNS, ROWS = 54, 22
WIDTH, HEIGHT = COLUMNS * CELL_WIDTH, ROWS * CELL_HEIGHT
#: Red, green and blue, of 255.
_INK, _PAPER = (222, 226, 230), (22, 27, 34)


@dataclass(frozen=True)
class PixelFormat:
    """How a viewer wants its pixels (RFC 6143, 7.4)."""

    bits: int = 32
    big_endian: bool = False
    maxima: tuple[int, int, int] = (255, 255, 255)
    shifts: tuple[int, int, int] = (16, 8, 0)

    @classmethod
    def decode(cls, data: bytes) -> PixelFormat:
        """Return the format that 16 bytes describe; what makes no sense gives the usual one."""
        bits, _depth, big, true_colour, *rest = struct.unpack("!BBBBHHHBBB3x", data)
        if bits not in (8, 16, 32) or not true_colour or max(rest[3:]) >= bits:
            return cls()
        return cls(bits, bool(big), tuple(rest[:3]), tuple(rest[3:]))

    def encode(self) -> bytes:
        """Return the 16 bytes that describe this format."""
        depth = min(self.bits, 24)
        return struct.pack("!BBBBHHHBBB3x", self.bits, depth, self.big_endian, 1, *self.maxima, *self.shifts)

    def pixel(self, colour: tuple[int, int, int]) -> bytes:
        """Return one pixel of a colour."""
        value = 0
        for part, most, shift in zip(colour, self.maxima, self.shifts, strict=True):
            value |= part * most // 255 << shift
        value &= (1 << self.bits) - 1
        return value.to_bytes(self.bits // 8, "big" if self.big_endian else "little")


@lru_cache(maxsize=4096)
def _cell_row(character: str, row: int, shape: PixelFormat) -> bytes:
    """Return one row of a character's cell as pixels."""
    ink, paper = shape.pixel(_INK), shape.pixel(_PAPER)
    inside = row // _SCALE - 1
    if not 0 <= inside < glyphs.HEIGHT:
        return paper * CELL_WIDTH
    drawn = b"".join((ink if lit else paper) * _SCALE for lit in glyphs.pixels(character, inside))
    return drawn + paper * (CELL_WIDTH - glyphs.WIDTH * _SCALE)


def draw_line(text: str, shape: PixelFormat) -> bytes:
    """Return the pixels of one line of text, as wide as the screen."""
    line = text[:COLUMNS].ljust(COLUMNS)
    return b"".join(_cell_row(letter, row, shape) for row in range(CELL_HEIGHT) for letter in line)


def fit(lines: list[str]) -> list[str]:
    """Return as many lines as the screen has, none longer than it is wide."""
    cut = [line[:COLUMNS] for line in lines[:ROWS]]
    return cut + [""] * (ROWS - len(cut))
