"""Conditions under which a test can run."""

from __future__ import annotations

import pytest

from tests import environment

needs_postgres = pytest.mark.skipif(not environment.database_url(), reason="row locks need PostgreSQL")
