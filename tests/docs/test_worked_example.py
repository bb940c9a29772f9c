"""The worked examples of the guides are run as they stand, so that they cannot go stale."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.demo import Demo

#: Seconds; the first one starts the demo.
pytestmark = [pytest.mark.functional, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[2]
#: In this order, on one demo cloud: the administrator's example ends with terms that nobody has signed.
GUIDES = (
    "README.md",
    "docs/users/getting-started.md",
    "docs/users/object-storage.md",
    "docs/users/images.md",
    "docs/users/networks.md",
    "docs/users/servers.md",
    "docs/users/volumes.md",
    "docs/administrators/cyclades.md",
    "docs/administrators/networks.md",
    "docs/administrators/identity-example.md",
)
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


def demo_s_words(text: str, demo: Demo) -> str:
    """Return *text* with this demo's address, and where this test's ``snf-manage`` is."""
    return text.replace("http://127.0.0.1:8000", demo.base_url).replace(".venv/bin/snf-manage", "snf-manage")


def test_the_readme_shows_what_the_demo_says(demo: Demo) -> None:
    text = demo_s_words((ROOT / "README.md").read_text(), demo)
    shown = text[text.index("Your cloud is running") :].partition("```")[0].strip()
    said = demo.banner[demo.banner.index("Your cloud is running") :].replace(str(demo.data), "var/demo")
    assert said.startswith(f"{shown}\n\n")


@pytest.mark.parametrize("guide", GUIDES)
def test_the_blocks_of_the_guide_print_what_it_says(demo: Demo, guide: str) -> None:
    blocks = blocks_of(demo_s_words((ROOT / guide).read_text(), demo))
    script = "set -euo pipefail\n" + f"echo '{MARK}'\n".join(block.commands for block in blocks)
    (demo.folder / "guide.sh").write_text(script)
    ran = demo.shell(demo.folder / "guide.sh", timeout=500)
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
