"""The volume service against facts recorded from the original."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests import recorded

pytestmark = [pytest.mark.db, pytest.mark.django_db, pytest.mark.usefixtures("submitted")]


def test_answers_are_those_recorded(client: Client, person: Any, volume_type: Any) -> None:
    names = {"token": person.api.token, "type": volume_type.pk}
    problems = {}
    for fact in recorded.load("volume"):
        found = recorded.play(client, fact, names)
        if found:
            problems[fact["id"]] = found
    assert problems == {}
