"""Documents that must keep step with the tree."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
#: Every module that plays recorded answers, and the section its differences are listed in.
RECORDINGS = {
    "Identity and quota": "tests.astakos.test_recorded_api",
    "Object storage": "tests.pithos.test_recorded_api",
    "Compute": "tests.cyclades.test_compute_recorded_api",
    "Network and images": "tests.cyclades.test_network_conformance_api",
}


@pytest.mark.parametrize("section", RECORDINGS)
def test_every_difference_from_the_recordings_is_listed_with_its_reason(section: str) -> None:
    text = (ROOT / "docs/compatibility.md").read_text()
    part = text.split(f"## {section}\n", 1)[1].split("\n## ")[0]
    for fact, difference in import_module(RECORDINGS[section]).DIFFERENCES.items():
        reason = difference if isinstance(difference, str) else difference[1]
        assert f"| `{fact}` | {reason} |" in part


@pytest.mark.parametrize(
    "document",
    sorted(str(path.relative_to(ROOT)) for path in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]),
)
def test_relative_links_lead_somewhere(document: str) -> None:
    path = ROOT / document
    targets = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", path.read_text())
    assert [target for target in targets if not (path.parent / target).exists()] == []


def test_every_fault_test_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs/faults.md").read_text())
    assert len(named) > 20
    missing = [
        f"{file}::{test}"
        for file, test in named
        if not (ROOT / file).exists() or f"def {test}(" not in (ROOT / file).read_text()
    ]
    assert missing == []
    assert len(set(named)) == len(named)


@pytest.mark.parametrize(
    "document",
    sorted(str(path.relative_to(ROOT)) for path in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]),
)
def test_every_named_file_exists(document: str) -> None:
    text = (ROOT / document).read_text()
    named = set(re.findall(r"(?<![\w/.])((?:conf|gtools|docs)/[\w./*-]*[\w*])", text))
    assert sorted(path for path in named if not list(ROOT.glob(path))) == []


def test_every_unit_starts_a_program_that_is_installed() -> None:
    programs = set(re.findall(r'"([\w-]+)=[\w.]+:main"', (ROOT / "setup.py").read_text())) | {"gunicorn"}
    started = {
        match[1]
        for path in ROOT.glob("conf/systemd/*.service")
        for match in re.finditer(r"^ExecStart=/opt/synnefo/bin/(\S+)", path.read_text(), re.MULTILINE)
    }
    assert started and started <= programs


def test_nodes_guide_names_every_hook_and_program() -> None:
    text = (ROOT / "docs/administrators/nodes.md").read_text()
    hooks = re.findall(r"`/etc/ganeti/hooks/([\w-]+)-post\.d`", text)
    assert sorted(hooks) == sorted(import_module("gtools.network.install").HOOKS)
    programs = set(re.findall(r"bin/(snf-[\w-]+)", text))
    installed = (ROOT / "setup.py").read_text()
    assert programs and all(f'"{program}=' in installed for program in programs)
