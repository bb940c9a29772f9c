"""The body of a server's creation, field by field (compute contract 5)."""

from __future__ import annotations

import base64

import pytest

from cyclades.logic import backends, server_create
from cyclades.models import Flavor, FlavorAccess, PublicKeyPair, Server, ServerTag
from synnefo.credentials import Credentials
from tests.cyclades.compute_fixtures import IMAGE_ID

pytestmark = [pytest.mark.db, pytest.mark.usefixtures("submitted", "backend")]


@pytest.fixture
def create(person, create_body):
    def post(**values: object):
        return person.api.post("servers", {"server": create_body | values})

    return post


def encoded(size: int) -> str:
    return base64.b64encode(b"x" * size).decode()


@pytest.mark.parametrize("body", [{}, {"x": 1}, {"server": None}, {"server": []}, {"server": "x"}])
def test_bad_envelope_is_400(person, body):
    response = person.api.post("servers", body)
    assert response.status_code == 400
    assert set(response.json()["badRequest"]) == {"code", "message", "details"}


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", ""])
def test_foreign_content_type_is_400(person, content_type):
    assert person.api.post("servers", "{}", content_type=content_type).status_code == 400


@pytest.mark.parametrize("raw", ["", "{", "[]", "null", '"x"', '{"server": NaN}', b"\xff\xfe", "[" * 5000])
def test_body_that_is_no_object_is_400(person, raw):
    assert person.api.post("servers", raw).status_code == 400


def test_body_beyond_the_limit_is_413(person):
    assert person.api.post("servers", '{"server": "' + "x" * (1 << 20) + '"}').status_code == 413


@pytest.mark.parametrize("field", ["name", "imageRef", "flavorRef"])
def test_missing_mandatory_field_is_400_and_named(person, create_body, field):
    del create_body[field]
    response = person.api.post("servers", {"server": create_body})
    assert response.status_code == 400
    assert field in response.json()["badRequest"]["message"]


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("name", "", 400),
        ("name", "x" * 256, 400),
        ("name", 5, 400),
        ("name", "a\u0000b", 400),
        ("imageRef", "nope", 400),
        ("imageRef", "", 400),
        ("imageRef", None, 400),
        ("imageRef", 7, 400),
        ("imageRef", "00000000-0000-4000-8000-000000000000", 404),
        ("flavorRef", "abc", 400),
        ("flavorRef", None, 400),
        ("flavorRef", True, 400),
        ("flavorRef", 1.5, 400),
        ("flavorRef", -1, 400),
        ("flavorRef", 10**30, 400),
        ("flavorRef", 9999, 404),
        ("metadata", [], 400),
        ("metadata", {str(i): "v" for i in range(11)}, 400),
        ("metadata", {"k" * 51: "v"}, 400),
        ("metadata", {"": "v"}, 400),
        ("metadata", {"k": "v" * 501}, 400),
        ("metadata", {"k": None}, 400),
        ("metadata", {"k": {}}, 400),
        ("tags", "x", 400),
        ("tags", ["a/b"], 400),
        ("tags", ["a,b"], 400),
        ("tags", [""], 400),
        ("tags", ["x" * 61], 400),
        ("tags", [1], 400),
        ("tags", [str(i) for i in range(51)], 400),
        ("networks", "x", 400),
        ("networks", {}, 400),
        ("networks", [1], 400),
        ("networks", [{}], 400),
        ("networks", [{"uuid": "9999"}], 404),
        ("project", 5, 400),
        ("project", "elsewhere", 400),
        ("shared_to_project", "yes", 400),
        ("shared_to_project", True, 403),
        ("key_name", 5, 400),
        ("key_name", "nokey", 404),
        ("SNF:key_names", "x", 400),
        ("SNF:key_names", [1], 400),
        ("SNF:key_names", ["nokey"], 404),
        ("adminPass", "short", 400),
        ("adminPass", "alllowercase1", 400),
        ("adminPass", "NoDigitsHereAtAll", 400),
        ("adminPass", 5, 400),
        ("user_data", "!!!", 400),
        ("user_data", "aGk=\n", 400),
        ("user_data", "aGl=", 400),
        ("user_data", 5, 400),
        ("user_data", "A" * 65536, 400),
        ("user_data", "é", 400),
        ("min_count", 2, 400),
        ("max_count", 2, 400),
        ("block_device_mapping", [{}], 400),
        ("block_device_mapping_v2", "x", 400),
        ("block_device_mapping_v2", ["x"], 400),
        ("block_device_mapping_v2", [{"source_type": "blank", "volume_size": 1}], 400),
        ("personality", {}, 400),
        ("personality", [1], 400),
        ("personality", [{}], 400),
        ("personality", [{"path": "/a"}], 400),
        ("personality", [{"contents": "aGk="}], 400),
        ("personality", [{"path": "/a", "contents": "aGk=", "other": 1}], 400),
        ("personality", [{"path": 1, "contents": "aGk="}], 400),
        ("personality", [{"path": "/a", "contents": 1}], 400),
        ("personality", [{"path": "/a", "contents": "!!"}], 400),
        ("personality", [{"path": "/a", "contents": "aGk"}], 400),
        ("personality", [{"path": "/a", "contents": "aGk=", "mode": "0644"}], 400),
        ("personality", [{"path": "/a", "contents": "aGk=", "mode": True}], 400),
        ("personality", [{"path": "/a", "contents": "aGk=", "owner": 1}], 400),
        ("personality", [{"path": "/a", "contents": "aGk="}] * 6, 413),
        ("personality", [{"path": "/a", "contents": encoded(10241)}], 413),
    ],
)
def test_bad_field(create, field, value, code):
    response = create(**{field: value})
    assert response.status_code == code
    assert not Server.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "δοκιμή"),
        ("imageRef", f"http://testserver/cyclades/compute/v2.0/images/{IMAGE_ID}"),
        ("metadata", None),
        ("metadata", {"number": 5}),
        ("tags", ["blue", "blue", "δύο"]),
        ("networks", []),
        ("networks", "none"),
        ("project", None),
        ("adminPass", "Str0ngEnough"),
        ("user_data", "aGk="),
        ("min_count", 1),
        ("security_groups", [{"name": "default"}]),
        ("personality", [{"path": "/a", "contents": encoded(10240), "owner": "root", "mode": 420}]),
        ("personality", [{"path": "/a", "contents": "aG\nk="}]),
    ],
)
def test_good_field(create, field, value):
    assert create(**{field: value}).status_code == 202


def test_the_given_password_comes_back(create):
    assert create(adminPass="Str0ngEnough").json()["server"]["adminPass"] == "Str0ngEnough"


def test_a_made_password_has_every_class(create):
    password = create().json()["server"]["adminPass"]
    assert len(password) == 10
    assert (
        any(map(str.isupper, password))
        and any(map(str.islower, password))
        and any(map(str.isdigit, password))
    )


def test_without_a_backend_it_is_503(create, backend):
    backend.drained = True
    backend.save()
    response = create()
    assert response.status_code == 503
    assert not Server.objects.exists()


def test_closed_flavor_is_403_unless_a_role_overrides(create, flavor, settings):
    flavor.allow_create = False
    flavor.save()
    assert create().status_code == 403


def test_private_flavor_is_404(create, flavor):
    flavor.public = False
    flavor.save()
    assert create().status_code == 404


def test_flavor_of_one_project_is_403_in_another(person, create, flavor, create_body, monkeypatch):
    from dataclasses import replace

    from cyclades.api.compute import dialect

    authenticate = dialect.service.authenticate
    monkeypatch.setattr(
        dialect.service,
        "authenticate",
        lambda request: replace(authenticate(request), projects=frozenset({"club", person.uuid})),
    )
    flavor.public = False
    flavor.save()
    FlavorAccess.objects.create(flavor=flavor, project="club")
    assert create().status_code == 403


def test_image_larger_than_the_disk_is_400(create, volume_type):
    small = Flavor.objects.create(cpu=1, ram=512, disk=1, volume_type=volume_type)
    assert create(flavorRef=small.pk).status_code == 400


def test_disk_beyond_the_largest_volume_is_400(create, settings):
    settings.CYCLADES_VOLUME_MAX_SIZE = 19
    assert create().status_code == 400


def test_over_quota_is_413_and_leaves_nothing(person, create, flavor):
    flavor.disk = 100
    flavor.cpu = 2000
    flavor.save()
    response = create()
    assert response.status_code == 413
    assert "cyclades" in response.json()["overLimit"]["details"]
    assert not Server.objects.exists()
    assert person.usage("cyclades.vm") == (0, 0)


def test_keys_are_named_in_the_answer(person, create):
    for name in ("one", "two"):
        PublicKeyPair.objects.create(user=person.uuid, name=name, content="ssh-rsa AAAA")
    server = create(**{"SNF:key_names": ["two", "one", "two"]}).json()["server"]
    assert server["SNF:key_names"] == ["two", "one"]
    assert server["key_name"] == "two"


def test_key_name_and_key_names_exclude_each_other(create):
    assert create(**{"key_name": "a", "SNF:key_names": ["b"]}).status_code == 400


def test_tags_wait_for_ganeti(create):
    server = create(tags=["blue", "blue"]).json()["server"]
    assert server["tags"] == []
    row = ServerTag.objects.get(server_id=server["id"])
    assert (row.tag, row.status) == ("cyclades:user:blue", "PENDADD")


def test_alias_of_boot_from_volume_clients(person, create_body):
    assert person.api.post("os-volumes_boot", {"server": create_body}).status_code == 202


def test_image_may_come_from_the_block_device(create):
    device = {"source_type": "image", "uuid": IMAGE_ID, "boot_index": 0, "volume_size": 20}
    assert create(imageRef="", block_device_mapping_v2=[device]).status_code == 202


def test_image_may_be_left_out_where_a_block_device_has_it(person, create_body):
    del create_body["imageRef"]
    device = {"source_type": "image", "uuid": IMAGE_ID, "boot_index": 0, "volume_size": 20}
    body = create_body | {"block_device_mapping_v2": [device]}
    assert person.api.post("servers", {"server": body}).status_code == 202


@pytest.mark.django_db(transaction=True)
def test_a_backend_that_is_removed_after_it_was_chosen_is_a_503(person, create, cluster, monkeypatch):
    allocate = server_create.allocator.allocate

    def allocate_and_remove(**values):
        backend = allocate(**values)
        backends.remove_backend(Credentials.administrator(), backend_id=backend.pk)
        return backend

    monkeypatch.setattr(server_create.allocator, "allocate", allocate_and_remove)
    response = create()
    assert (response.status_code, set(response.json())) == (503, {"serviceUnavailable"})
    assert not Server.objects.exists()
    assert person.usage("cyclades.vm") == (0, 0)
