"""Sources that are translated once for all processes of a run, in a fresh checkout.

Every process imports the modules of all tests at the same time as the others, and would translate each of
them for itself, which takes longer than many a test.
"""

from __future__ import annotations

import importlib.util
import py_compile
from pathlib import Path
from types import ModuleType

import pytest
from _pytest.assertion import rewrite
from hypothesis.internal.constants_ast import constants_from_module

ROOT = Path(__file__).resolve().parents[1]


def share(config: pytest.Config) -> None:
    """Translate this process's share of what nobody has translated yet.

    Who is faster than the others goes on with what they have left, when it imports that.
    """
    worker: dict[str, str | int] | None = getattr(config, "workerinput", None)
    if worker is None or rewrite.assertstate_key not in config.stash:
        return  # one process alone, or tests that are not rewritten
    number = int(str(worker["workerid"]).removeprefix("gw"))
    sources = sorted(path for package in ROOT.glob("*/__init__.py") for path in package.parent.rglob("*.py"))
    for path in sources[number :: int(worker["workercount"])]:
        if path.name.startswith("test_") or path.name == "conftest.py":
            _rewrite(path, config)
        else:
            _compile(path)


def _rewrite(path: Path, config: pytest.Config) -> None:
    """Translate a module of tests as pytest does when it imports one."""
    translated = rewrite.get_cache_dir(path) / f"{path.stem}{rewrite.PYC_TAIL}"
    if not translated.exists():
        source_hash, code = rewrite._rewrite_test(path, config)
        rewrite.try_makedirs(translated.parent)
        rewrite._write_pyc(config.stash[rewrite.assertstate_key], code, source_hash, translated)


def _compile(path: Path) -> None:
    """Translate any other module, whose constants Hypothesis wants to know, too."""
    if not Path(importlib.util.cache_from_source(str(path))).exists():
        py_compile.compile(str(path), quiet=2)
        if "tests" not in path.parts:
            module = ModuleType(path.stem)
            module.__file__ = str(path)
            constants_from_module(module)
