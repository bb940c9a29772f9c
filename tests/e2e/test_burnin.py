"""The acceptance test of a deployment against real components: its suites with servers, on real guests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.lab import burnin
from tests.lab.cloud import Cloud

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

#: The rest needs no guest and is run by `make burnin`.
SUITES = ("FlavorsTestSuite", "ImagesTestSuite", "ServerTestSuite")


def test_the_suites_with_a_guest_pass(real_cloud: Cloud, image: str, tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    result = burnin.run(
        real_cloud,
        "--set-tests",
        ",".join(SUITES),
        "--json",
        str(results),
        "--failfast",
        "--no-rescue",
        timeout=800,
    )
    written = json.loads(results.read_text())
    failed = [row for row in written["results"] if row["outcome"] in ("failed", "not run")]
    assert result.returncode == 0, f"{failed}\n{result.stdout[-3000:]}{result.stderr[-1000:]}"
    assert written["passed"] is True
    assert {row["suite"].partition("(")[0] for row in written["results"]} == set(SUITES)


def test_nothing_is_left(real_cloud: Cloud) -> None:
    result = burnin.run(real_cloud, "--set-tests", "none", "--show-stale", timeout=120)
    assert result.returncode == 0, result.stdout
