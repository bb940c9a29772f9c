"""Flavors and SSH keys over HTTP (compute contract 10 and 12)."""

from __future__ import annotations

import pytest

from cyclades.models import Flavor

pytestmark = pytest.mark.db

KEYS = {
    "id", "name", "links", "ram", "disk", "vcpus", "SNF:disk_template", "SNF:volume_type",
    "SNF:allow_create", "SNF:flavor-access", "os-flavor-access:is_public",
}  # fmt: skip


def test_list_detail_and_show(person, flavor):
    assert [set(f) for f in person.api.get("flavors").json()["flavors"]] == [{"id", "name", "links"}]
    shown = person.api.get(f"flavors/{flavor.pk}").json()["flavor"]
    assert set(shown) >= KEYS
    assert shown["name"] == "C2R1024D20drbd"
    assert person.api.get("flavors/detail").json()["flavors"] == [shown]


def test_private_and_deleted_flavors_are_not_listed(person, volume_type):
    Flavor.objects.create(cpu=1, ram=4, disk=1, volume_type=volume_type, public=False)
    Flavor.objects.create(cpu=2, ram=4, disk=1, volume_type=volume_type, deleted=True)
    assert person.api.get("flavors").json() == {"flavors": []}


def test_a_private_flavor_is_shown_to_who_has_a_server_with_it(person, flavor, make_server):
    flavor.public = False
    flavor.save()
    assert person.api.get(f"flavors/{flavor.pk}").status_code == 404
    make_server()
    assert person.api.get(f"flavors/{flavor.pk}").status_code == 200


def test_filters(person, flavor, bigger_flavor):
    def found(query: str) -> list[int]:
        return [f["id"] for f in person.api.get(f"flavors?{query}").json()["flavors"]]

    assert found("SNF:is_public=True") == [flavor.pk, bigger_flavor.pk]
    assert found("SNF:is_public=maybe") == []
    assert found("is_public=false") == [flavor.pk, bigger_flavor.pk]
    assert found("minRam=2048") == [bigger_flavor.pk]
    assert found(f"limit=1&marker={flavor.pk}") == [bigger_flavor.pk]
    assert found("SNF:flavor-access=elsewhere") == []


def test_list_takes_a_fixed_number_of_queries(person, volume_type, django_assert_max_num_queries):
    for cpu in range(1, 60):
        Flavor.objects.create(cpu=cpu, ram=4, disk=1, volume_type=volume_type)
    with django_assert_max_num_queries(6):
        assert len(person.api.get("flavors/detail").json()["flavors"]) == 59
