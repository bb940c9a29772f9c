"""Reading JSON objects that follow each other without separators."""

from __future__ import annotations

import codecs
import json
import logging
from collections.abc import Iterator
from typing import Any

logger = logging.getLogger(__name__)

MAX_OBJECT_CHARACTERS = 1024 * 1024


class JsonStream:
    """Takes bytes as they arrive and gives out complete objects; skips what is no JSON."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._parser = json.JSONDecoder()
        self._text = ""

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """Add bytes, return the objects that are complete now; empty bytes mean the end."""
        self._text += self._decoder.decode(data, final=not data)
        while True:
            self._text = self._text.lstrip()
            if not self._text:
                return
            if self._text[0] != "{":
                self._skip()
                continue
            try:
                value, end = self._parser.raw_decode(self._text)
            except RecursionError:
                self._text = self._text[1:]
                continue
            except ValueError:
                if data and len(self._text) <= MAX_OBJECT_CHARACTERS:
                    return
                self._text = self._text[1:]
                self._skip()
                continue
            self._text = self._text[end:]
            yield value

    def _skip(self) -> None:
        """Drop everything before the next object."""
        start = self._text.find("{")
        dropped, self._text = (self._text, "") if start < 0 else (self._text[:start], self._text[start:])
        logger.warning("skipped %d characters that are no JSON object", len(dropped))
