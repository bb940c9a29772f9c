"""The worked examples of the guides are run as they stand, so that they cannot go stale."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.instance import free_ports

pytestmark = pytest.mark.functional

ROOT = Path(__file__).resolve().parents[2]
#: In this order, on one demo cloud: the administrator's example ends with terms that nobody has signed.
GUIDES = (
    "docs/users/getting-started.md",
    "docs/users/object-storage.md",
    "docs/users/images.md",
    "docs/administrators/cyclades.md",
    "docs/administrators/identity-example.md",
)
START_SECONDS = 150
#: A line that no command of the guide prints; it follows the output of each block.
MARK = "--8<-- end of block"


@dataclass(frozen=True)
class Block:
    """Commands of the guide and what they print; ``…`` stands for anything within a line."""

    line: int
    commands: str
    printed: str

    def explains(self, actual: str) -> bool:
        """Tell whether *actual* is what the guide says."""
        pattern = ".*".join(re.escape(part) for part in self.printed.strip().split("…"))
        return re.fullmatch(pattern, actual.strip()) is not None


def blocks_of(text: str) -> list[Block]:
    """Return the fenced blocks marked ``sh test``, each with the ``output`` block that follows it."""
    fences = re.compile(r"^```sh test\n(.*?)^```$(?:\n+^```output\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
    return [
        Block(text.count("\n", 0, match.start()) + 1, match[1], match[2] or "")
        for match in fences.finditer(text)
    ]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory with a running demo cloud in ``var/demo``, as a reader of the guides has it."""
    tmp_path = tmp_path_factory.mktemp("guides")
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin/snf-manage"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT}/manage.py "$@"\n')
    command.chmod(0o755)
    port = free_ports(1)[0]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SYNNEFO_")}
    with (tmp_path / "demo.log").open("wb") as log:
        launcher = subprocess.Popen(
            [sys.executable, "-m", "synnefo.demo", "--port", str(port), "--data", tmp_path / "var/demo"],
            cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + START_SECONDS
        while "Your cloud is running" not in (said := (tmp_path / "demo.log").read_text()):
            assert launcher.poll() is None and time.monotonic() < deadline, f"no demo: {said}"
            time.sleep(0.2)
        yield tmp_path
    finally:
        launcher.send_signal(signal.SIGINT)
        try:
            launcher.wait(timeout=30)
        except subprocess.TimeoutExpired:
            # Its processes end with it: they asked the kernel for that.
            launcher.kill()
            launcher.wait()


@pytest.mark.parametrize("guide", GUIDES)
def test_the_blocks_of_the_guide_print_what_it_says(demo: Path, guide: str) -> None:
    blocks = blocks_of((ROOT / guide).read_text())
    script = "set -euo pipefail\n" + f"echo '{MARK}'\n".join(block.commands for block in blocks)
    (demo / "guide.sh").write_text(script)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SYNNEFO_")}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    ran = subprocess.run(
        ["bash", "guide.sh"], cwd=demo, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**environment, "PATH": f"{demo / 'bin'}:{environment['PATH']}"}, text=True, timeout=280,
    )  # fmt: skip
    printed = ran.stdout.split(f"{MARK}\n")
    differing = [
        f"{guide}:{block.line} says\n{block.printed}but printed\n{actual}"
        for block, actual in zip(blocks, printed, strict=False)
        if not block.explains(actual)
    ]
    assert not differing, "\n".join(differing)
    assert (ran.returncode, len(printed)) == (0, len(blocks))


def test_blocks_are_found_with_their_output_and_compared_line_by_line() -> None:
    text = (
        "a\n\n```sh test\necho 1\n```\n\n```output\nx…z\n```\n\n```sh\nrm x\n```\n\n```sh test\ntrue\n```\n"
    )
    blocks = blocks_of(text)
    assert [(block.line, block.commands) for block in blocks] == [(3, "echo 1\n"), (15, "true\n")]
    assert [blocks[0].explains(printed) for printed in ("xyz\n", "xy", "x\nz")] == [True, False, False]
    assert [blocks[1].explains(printed) for printed in ("", "noise")] == [True, False]
