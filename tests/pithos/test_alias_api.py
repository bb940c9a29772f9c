"""Accounts named by e-mail address (PITHOS_TRANSLATE_UUIDS)."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.db


@pytest.fixture
def aliases(settings) -> None:
    settings.PITHOS_TRANSLATE_UUIDS = True


def test_an_address_names_the_account_and_answers_keep_the_uuid(aliases, maria):
    assert maria.put("docs/x", b"hello", account="maria@lab.example").status_code == 201
    assert maria.read("docs/x", account="Maria@Lab.example") == b"hello"
    assert maria.read("docs/x") == b"hello"
    listing = maria.get("docs", account="maria@lab.example", query="format=json")
    assert json.loads(listing.content)[0]["x_object_modified_by"] == maria.uuid
    assert maria.head("", account="maria@lab.example").status_code == 204


def test_an_address_names_source_and_destination(aliases, maria, nikos):
    maria.put("docs/x", b"hello", x_object_sharing=f"read={nikos.uuid}")
    copied = nikos.put("own/x", x_copy_from="/docs/x", x_source_account="maria@lab.example")
    assert copied.status_code == 201
    assert nikos.read("own/x") == b"hello"
    again = nikos.call("COPY", "own/x", destination="/own/y", destination_account="nikos@lab.example")
    assert again.status_code == 201


def test_nobodys_address_is_not_found_and_rights_stay(aliases, maria, nikos):
    maria.put("docs/x", b"hello")
    assert maria.get("docs/x", account="nobody@lab.example").status_code == 404
    assert nikos.get("docs/x", account="maria@lab.example").status_code == 403


def test_uuids_cost_no_translation(settings, maria, django_assert_max_num_queries):
    with django_assert_max_num_queries(20) as without:
        maria.head("docs")
    settings.PITHOS_TRANSLATE_UUIDS = True
    with django_assert_max_num_queries(len(without)):
        maria.head("docs")


def test_without_the_setting_an_address_is_just_a_name(maria):
    assert maria.get("docs", account="maria@lab.example").status_code == 403
