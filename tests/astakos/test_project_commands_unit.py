"""What the pages of projects say to type instead: quoted, and what the API takes."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from astakos.web import project_commands

pytestmark = pytest.mark.unit
BODY = {
    "name": "genome.lab.example",
    "description": "it's; rm -rf $HOME `id`\nΔ",
    "end_date": "2190-12-31T00:00:00+00:00",
    "join_policy": "moderated",
    "max_members": 5,
    "private": True,
    "comments": "please",
    "resources": {"cyclades.vm": {"member_capacity": 2, "project_capacity": 10}},
}


@pytest.fixture
def commands(settings: Any) -> dict[str, str]:
    settings.ASTAKOS_BASE_URL = "https://id.example/astakos"
    return dict(project_commands.of_application(BODY, None))


def test_kamaki_gets_every_value_as_one_word(commands: dict[str, str]) -> None:
    words = shlex.split(commands["kamaki"])
    assert words[:3] == ["kamaki", "project", "create"]
    options = dict(zip(words[3::2], words[4::2], strict=True))
    assert options["--description"] == BODY["description"]
    assert (options["--max-members"], options["--private"]) == ("5", "true")
    assert options["--resource"] == "cyclades.vm=2,10"


def test_curl_sends_the_same_body(commands: dict[str, str]) -> None:
    words = shlex.split(commands["curl"])
    assert json.loads(words[words.index("-d") + 1]) == BODY
    assert words[words.index("-X") + 1] == "POST" and "X-Auth-Token: $TOKEN" in words
    assert words[-1] == "https://id.example/astakos/account/v1.0/projects"
