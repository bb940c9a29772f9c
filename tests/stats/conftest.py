"""A directory of RRD files, and who asks for graphs of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.cache import cache
from django.test import Client

from stats.logic.graphs import token_secret
from synnefo import clock, stats_token
from tests.stats.rrd_files import Instance

Get = Callable[..., object]


@pytest.fixture(autouse=True)
def nothing_drawn() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def instance(tmp_path: Path, settings) -> Instance:
    """An instance without files so far, in a directory of its own."""
    settings.RRD_PREFIX = str(tmp_path)
    return Instance(tmp_path / "snf-42")


@pytest.fixture
def token() -> str:
    """A token for ``instance``."""
    return seal("snf-42")


def seal(name: str, *, seconds: int = 60) -> str:
    """Return a token for *name* that expires in *seconds*."""
    return stats_token.seal(name, secret=token_secret(), expires=int(clock.now().timestamp()) + seconds)


@pytest.fixture
def get(client: Client, token: str) -> Get:
    """Ask for a graph, of ``instance`` unless another token is given."""
    return lambda graph, other=None: client.get(f"/stats/v1.0/{graph}/{other or token}")
