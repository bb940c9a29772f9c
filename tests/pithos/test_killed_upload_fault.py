"""kill -9 at any point of an upload: the old object or the new one, and a charge that is exact."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

from pithos.models import Statistics
from tests.markers import needs_postgres
from tests.pithos.conftest import ROOT

pytestmark = [
    pytest.mark.fault,
    pytest.mark.db,
    needs_postgres,
    pytest.mark.django_db(transaction=True),
]

OLD, NEW = b"the old one", b"something new of several blocks"
POINTS = [
    "before the first block", "between blocks", "before the map", "before the transaction",
    "before the version", "before the sums", "before the charge", "before the commit", "after the commit",
]  # fmt: skip


def test_a_killed_upload_leaves_the_old_object_or_the_new_one(maria, small_blocks, settings):
    for number in range(len(POINTS)):
        maria.put(f"docs/{number}", OLD)
    requests = {point: f"{ROOT}/{maria.uuid}/docs/{number}" for number, point in enumerate(POINTS)}
    task = {
        "database": connection.settings_dict["NAME"], "blocks": settings.PITHOS_BACKEND_BLOCK_PATH,
        "block_size": small_blocks, "token": maria.token, "body": NEW.decode(), "requests": requests,
    }  # fmt: skip
    ended = subprocess.run(
        [sys.executable, "-m", "tests.pithos.killed_worker"], input=json.dumps(task), text=True,
        capture_output=True, check=True, cwd=Path(__file__).parents[2], timeout=280,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
    )  # fmt: skip
    assert json.loads(ended.stdout.splitlines()[-1]) == dict.fromkeys(POINTS, signal.SIGKILL)

    found = {point: maria.read(f"docs/{number}") for number, point in enumerate(POINTS)}
    assert found == {**dict.fromkeys(POINTS, OLD), "after the commit": NEW}
    size = sum(map(len, found.values()))
    row = Statistics.objects.get(node__name="docs")
    assert (row.current_count, row.current_bytes, row.history_count) == (len(POINTS), size, 1)
    assert maria.usage() == size

    for number in range(len(POINTS)):  # nothing is left locked
        assert maria.put(f"docs/{number}", NEW).status_code == 201
    assert maria.usage() == len(NEW) * len(POINTS)
