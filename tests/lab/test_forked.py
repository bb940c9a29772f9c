"""Programs that are loaded once and forked for each run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import forked_client
from tests.lab.forked import Forked, forked

pytestmark = pytest.mark.unit

#: It prints what it is given, and counts how often it was loaded.
CODE = """
import os, sys
FOLDER = {folder!r}
with open(FOLDER + "/loads", "a") as log:
    log.write("x")
def state():
    return open(FOLDER + "/settings").read()
SETTINGS = state()
def main():
    print(sys.argv[1:], os.environ["NAME"], sys.stdin.read(), SETTINGS, os.getcwd())
    sys.stderr.write("complaint")
    sys.exit(int(sys.argv[1]))
"""


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Forked]:
    (tmp_path / "settings").write_text("old")
    with forked(sys.executable, CODE.format(folder=str(tmp_path)), environment={}) as program:
        yield program


def test_a_run_has_words_environment_input_and_status_of_its_own(program: Forked, tmp_path: Path) -> None:
    for status in (0, 3):
        ran = program.run(["p", str(status), "ώ"], environment={"NAME": f"n{status}"}, input="ένα")
        assert (ran.returncode, ran.stderr) == (status, "complaint")
        assert ran.stdout == f"['{status}', 'ώ'] n{status} ένα old {Path.cwd()}\n"
    assert (tmp_path / "loads").read_text() == "x"


def test_it_is_loaded_anew_when_its_settings_changed(program: Forked, tmp_path: Path) -> None:
    program.run(["p", "0"], environment={"NAME": ""})
    (tmp_path / "settings").write_text("new")
    assert " new " in program.run(["p", "0"], environment={"NAME": ""}).stdout
    assert (tmp_path / "loads").read_text() == "xx"


def test_the_client_hands_its_streams_on(program: Forked, tmp_path: Path) -> None:
    program.start()
    ran = subprocess.run(
        [sys.executable, "-IS", forked_client.__file__, str(program.socket), "p", "4"],
        env={"NAME": "n"}, cwd=tmp_path, input="in", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout, ran.stderr) == (4, f"['4'] n in old {tmp_path}\n", "complaint")
