"""The benchmarks' programs work; their figures mean nothing here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.load import Outcome
from tests.lab.instance import Unavailable
from tests.lab.memcached import Memcached
from tests.lab.postgres import PostgreSQL

PROJECT = Path(__file__).resolve().parents[2]


@pytest.mark.e2e
def test_two_quick_lines_are_measured_and_written(tmp_path: Path) -> None:
    try:
        PostgreSQL()
        Memcached()
    except Unavailable as error:
        pytest.skip(str(error))
    output = tmp_path / "results.json"
    chosen = ["--only", "tokens", "--only", "hashmap"]
    result = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", "--quick", *chosen, "--output", str(output)],
        cwd=PROJECT, capture_output=True, text=True, check=False, timeout=280,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    written = json.loads(output.read_text())
    assert written["failed"] == []
    names = [line["name"] for line in written["lines"]]
    assert names[0] == "token authentication, 8 clients"
    assert any(name.startswith("PUT") for name in names)
    assert all(line["ours"] > 0 and line["peer"] > 0 for line in written["lines"])
    assert "token authentication" in result.stdout


@pytest.mark.unit
def test_errors_do_not_count_as_work() -> None:
    outcome = Outcome(seconds=2.0, statuses={"200": 10, "503": 90}, p50_ms=1.0, p95_ms=2.0)
    assert outcome.rate == 5.0
    assert "FAILED 503×90" in outcome.note
