"""A whole site for faults of what surrounds its web server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.benchmarks.site import Site
from tests.conftest import started

HEAD_SECONDS = 5


@pytest.fixture(scope="package")
def impatient_site() -> Iterator[Site]:
    """A site that cuts off dawdling clients after seconds instead of a minute."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SYNNEFO_HEAD_SECONDS", str(HEAD_SECONDS))
        patch.setenv("SYNNEFO_SILENCE_SECONDS", "8")
        patch.setenv("SYNNEFO_BODY_SECONDS", "5")
        site = started(lambda: Site(filled=False))
    yield site
    site.stop()
