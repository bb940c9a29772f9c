"""Large libraries that few tests use, loaded by the first that does.

Each process of a run imports the modules of all tests, and would spend seconds on libraries it never needs.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import pytest


class Lazily:
    """Stands for the module *name*, which it imports when something of it is looked up.

    Skips the module of tests that asks for it where the library is not installed.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"could not import {name!r}", allow_module_level=True)

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("_"):
            raise AttributeError(attribute)  # pytest looks whether what it finds in a module is a test
        return getattr(importlib.import_module(self._name), attribute)
