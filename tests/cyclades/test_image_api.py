"""Images over HTTP, kept in the object store (image contract 3 to 6)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from urllib.parse import quote, unquote

import pytest
from django.test import Client

from astakos import public as astakos
from cyclades.logic import image_changes, images
from synnefo.errors import BadRequest
from tests.cyclades.image_fixtures import STORE, ImageUser
from tests.cyclades.test_network_api import fault

pytestmark = [pytest.mark.db, pytest.mark.django_db]

BRIEF = {"status", "name", "disk_format", "container_format", "size", "id"}
DETAIL = BRIEF | {
    "checksum", "location", "created_at", "updated_at", "deleted_at", "is_public", "owner", "properties",
    "is_snapshot",
}  # fmt: skip
HEADERS = {
    "id", "name", "status", "location", "checksum", "size", "owner", "is-public", "created-at", "updated-at",
    "deleted-at", "disk-format", "container-format", "is-snapshot", "description",
}  # fmt: skip
UNKNOWN = "11111111-1111-1111-1111-111111111111"


def meta(response) -> dict[str, str]:
    prefix = "x-image-meta-"
    return {k[len(prefix) :]: v for k, v in response.headers.items() if k.startswith(prefix)}


def detail(user: ImageUser) -> list[dict[str, object]]:
    return user.api("GET", "images/detail").json()


@pytest.mark.parametrize("path", ["", "/", "/versions"])
def test_versions_need_no_token(client: Client, path: str, db: None) -> None:
    versions = client.get(f"/cyclades/image{path}").json()["versions"]
    assert [(item["id"], item["status"]) for item in versions] == [
        (name, "CURRENT") for name in ("v1.0", "v1", "v2.9")
    ]
    assert versions[0]["links"] == [{"rel": "self", "href": "http://testserver/cyclades/image/v1.0/"}]
    assert set(versions[0]) == {"id", "status", "links", "media_types"}


def test_faults(client: Client, owner: ImageUser) -> None:
    assert fault(client.get("/cyclades/image/v1.0/images")) == (401, "unauthorized")
    assert fault(owner.api("GET", "nothing")) == (400, "badRequest")
    response = owner.api("PATCH", "images")
    assert (fault(response), response["Allow"]) == ((405, "notAllowed"), "GET,POST")


def test_register_answers_200_with_the_image_as_headers(owner: ImageUser) -> None:
    location = owner.upload("debian.diskdump", b"x" * 1000)
    response = owner.register(
        location, "Debian%20Base", property_OSFAMILY="linux", property_ROOT_PARTITION="1"
    )
    assert (response.status_code, response.content) == (200, b"")
    fields = meta(response)
    assert set(fields) == HEADERS | {"property-osfamily", "property-root-partition"}
    expected = {
        "name": "Debian%20Base",
        "status": "AVAILABLE",
        "location": location,
        "size": "1000",
        "owner": owner.uuid,
        "is-public": "False",
        "is-snapshot": "False",
        "disk-format": "diskdump",
        "container-format": "bare",
        "deleted-at": "",
        "description": "",
        "property-root-partition": "1",
    }
    assert fields | expected == fields
    assert re.fullmatch(r"[0-9a-f]{64}", fields["checksum"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", fields["created-at"])


def test_registering_again_keeps_id_and_members_and_takes_the_new_name(
    owner: ImageUser, reader: ImageUser, registered_image: str
) -> None:
    assert owner.api("PUT", f"images/{registered_image}/members/{reader.uuid}").status_code == 204
    location = detail(owner)[0]["location"]
    first = detail(owner)[0]["created_at"]
    response = owner.register(location, quote("Καλημέρα"), is_public="True")
    assert response["x-image-meta-id"] == registered_image
    assert unquote(response["x-image-meta-name"]) == "Καλημέρα"
    [image] = detail(owner)
    assert (image["name"], image["is_public"], image["created_at"]) == ("Καλημέρα", True, first)
    assert image["properties"] == {"osfamily": "linux", "root_partition": "1"}
    members = owner.api("GET", f"images/{registered_image}/members").json()["members"]
    assert members == [{"member_id": reader.uuid, "can_share": False}]
    assert owner.register(location)["x-image-meta-is-public"] == "False"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"name": ""}, (400, "badRequest")),
        ({"name": "%ff"}, (400, "badRequest")),
        ({"name": "%00"}, (400, "badRequest")),
        ({"name": "x" * 300}, (400, "badRequest")),
        ({"location": ""}, (400, "badRequest")),
        ({"location": "http://x/y/z"}, (400, "badRequest")),
        ({"location": "pithos://a/b"}, (400, "badRequest")),
        ({"location": "pithos:///images/x"}, (400, "badRequest")),
        ({"location": "pithos://%ff/images/x"}, (400, "badRequest")),
        ({"location": "pithos://ME/images/none"}, (404, "itemNotFound")),
        ({"location": "pithos://ME/none/none"}, (404, "itemNotFound")),
        ({"id": "zz"}, (400, "badRequest")),
        ({"store": "pith"}, (400, "badRequest")),
        ({"store": "pithos"}, (200, "")),
        ({"disk_format": "qcow2"}, (400, "badRequest")),
        ({"disk_format": "ntfsdump", "container_format": "ovf"}, (200, "")),
        ({"container_format": "zip"}, (400, "badRequest")),
        ({"size": "1"}, (400, "badRequest")),
        ({"size": "x"}, (400, "badRequest")),
        ({"size": "8"}, (200, "")),
        ({"checksum": "0" * 64}, (400, "badRequest")),
        ({"status": "AVAILABLE"}, (400, "badRequest")),
        ({"created_at": "now"}, (400, "badRequest")),
        ({"is_snapshot": "True"}, (400, "badRequest")),
        ({"owner": "whoever", "nonsense": "x"}, (200, "")),
        ({"property_x": "v" * 257}, (400, "badRequest")),
        ({f"property_{'k' * 94}": "v"}, (400, "badRequest")),
        ({f"property_{'k' * 93}": "v" * 256}, (200, "")),
        ({"property_x": "%ff"}, (400, "badRequest")),
        ({f"property_k{n}": "v" for n in range(40)}, (400, "badRequest")),
    ],
)
def test_rules_of_registering(owner: ImageUser, fields: dict[str, str], expected: tuple[int, str]) -> None:
    location = owner.upload("debian.diskdump")
    values = {"name": "n", "location": location, **fields}
    values["location"] = values["location"].replace("ME", owner.uuid)
    response = owner.register(values.pop("location"), values.pop("name"), **values)
    assert (response.status_code, "") == expected or fault(response) == expected
    assert len(detail(owner)) == (1 if expected[0] == 200 else 0)


def test_only_the_owner_registers_a_file(owner: ImageUser, reader: ImageUser) -> None:
    location = owner.upload("debian.diskdump")
    assert fault(reader.register(location)) == (403, "forbidden")
    owner.register(location, is_public="true")
    assert fault(reader.register(location)) == (403, "forbidden")


def test_lists_are_bare_for_kamaki_and_wrapped_for_glance(owner: ImageUser, registered_image: str) -> None:
    for path in ("images", "images/"):
        [brief] = owner.api("GET", path).json()
        assert set(brief) == BRIEF
        assert (brief["id"], brief["status"]) == (registered_image, "AVAILABLE")
    [full] = detail(owner)
    assert set(full) == DETAIL
    assert full["properties"] == {"osfamily": "linux", "root_partition": "1"}
    assert (full["deleted_at"], full["is_public"], full["size"]) == ("", False, 8)
    for path in ("images", "images/detail"):
        wrapped = owner.call("GET", f"/cyclades/image/v1/{path}").json()
        assert [image["id"] for image in wrapped["images"]] == [registered_image]


def test_list_costs_a_fixed_number_of_queries(
    owner: ImageUser, django_assert_num_queries: Callable[..., object]
) -> None:
    for count in (1, 6):
        while len(detail(owner)) < count:
            owner.register(owner.upload(f"image{len(detail(owner))}"))
        for read in (detail, lambda user: user.compute("GET", "images/detail").json()["images"]):
            with django_assert_num_queries(6):
                assert len(read(owner)) == count


def _names(user: ImageUser, query: str) -> list[str]:
    return [image["name"] for image in user.api("GET", f"images/detail?{query}").json()]


def test_filters_and_sorting(owner: ImageUser) -> None:
    for size, name in ((10, "b"), (20, "a"), (30, "c")):
        owner.register(
            owner.upload(name, b"x" * size), name, disk_format="diskdump" if size < 30 else "extdump"
        )
    assert _names(owner, "") == ["c", "a", "b"]
    assert _names(owner, "sort_dir=asc") == ["b", "a", "c"]
    assert _names(owner, "sort_key=name&sort_dir=asc") == ["a", "b", "c"]
    assert _names(owner, "sort_key=size") == ["c", "a", "b"]
    assert _names(owner, "name=a") == ["a"]
    assert _names(owner, "name=%2561") == ["a"]
    assert _names(owner, "disk_format=extdump&container_format=bare") == ["c"]
    assert _names(owner, "status=available&size_min=20&size_max=20") == ["a"]
    assert _names(owner, "status=SAVING") == []
    first = detail(owner)[0]["id"]
    assert _names(owner, f"limit=1&marker={first}") == ["a"]


@pytest.mark.parametrize(
    "query", ["sort_key=zz", "sort_dir=up", "size_min=", "size_max=x", "limit=x", f"marker={UNKNOWN}"]
)
def test_malformed_query_is_400(owner: ImageUser, query: str) -> None:
    assert fault(owner.api("GET", f"images/detail?{query}")) == (400, "badRequest")


def test_head_shows_the_image_and_get_is_501(owner: ImageUser, registered_image: str) -> None:
    response = owner.api("HEAD", f"images/{registered_image}")
    assert response.status_code == 200
    assert meta(response)["property-osfamily"] == "linux"
    assert fault(owner.api("GET", f"images/{registered_image}")) == (501, "notImplemented")


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE"])
def test_ids(owner: ImageUser, method: str) -> None:
    assert owner.api(method, f"images/{UNKNOWN}").status_code == 404
    assert owner.api(method, "images/not-a-uuid").status_code == 400


def test_file_that_is_no_image_is_404(owner: ImageUser) -> None:
    owner.upload("file")
    listed = owner.call("GET", f"{STORE}/{owner.uuid}/images?format=json").json()
    assert owner.api("HEAD", f"images/{listed[0]['x_object_uuid']}").status_code == 404


def test_private_image_is_403_for_others_and_not_listed(
    owner: ImageUser, reader: ImageUser, registered_image: str
) -> None:
    path = f"images/{registered_image}"
    for method in ("HEAD", "PUT", "DELETE"):
        assert reader.api(method, path).status_code == 403
    assert fault(reader.api("GET", f"{path}/members")) == (403, "forbidden")
    assert detail(reader) == []


def test_public_image_is_listed_for_everybody_but_not_changed(
    owner: ImageUser, reader: ImageUser, registered_image: str
) -> None:
    path = f"images/{registered_image}"
    assert owner.api("PUT", path, X_Image_Meta_Is_Public="True").status_code == 200
    assert [image["id"] for image in detail(reader)] == [registered_image]
    assert reader.api("HEAD", path).status_code == 200
    assert reader.api("PUT", path, X_Image_Meta_Name="mine").status_code == 403
    assert reader.api("PUT", path, X_Image_Meta_Is_Public="False").status_code == 403
    assert reader.api("DELETE", path).status_code == 403
    assert reader.api("PUT", f"{path}/members/{reader.uuid}").status_code == 403


def test_update_merges_properties_and_an_empty_value_deletes(owner: ImageUser, registered_image: str) -> None:
    response = owner.api(
        "PUT",
        f"images/{registered_image}",
        X_Image_Meta_Name=quote("new näme"),
        X_Image_Meta_Property_USERS="root%20me",
        X_Image_Meta_Property_OSFAMILY="",
    )
    assert response.status_code == 200
    fields = meta(response)
    assert unquote(fields["name"]) == "new näme"
    assert {k: v for k, v in fields.items() if k.startswith("property-")} == {
        "property-root-partition": "1",
        "property-users": "root%20me",
    }


def test_old_and_new_value_joined_by_the_server_are_told_apart(
    owner: ImageUser, registered_image: str
) -> None:
    path = f"images/{registered_image}"
    assert (
        meta(owner.api("PUT", path, X_Image_Meta_Property_OSFAMILY="linux,bsd"))["property-osfamily"] == "bsd"
    )
    assert (
        meta(owner.api("PUT", path, X_Image_Meta_Property_OSFAMILY="hurd,bsd"))["property-osfamily"] == "hurd"
    )
    same = owner.api("PUT", path, X_Image_Meta_Property_OSFAMILY="hurd,hurd")
    assert meta(same)["property-osfamily"] == "hurd"
    list_like = owner.api("PUT", path, X_Image_Meta_Property_USERS="a,b")
    assert meta(list_like)["property-users"] == "a%2Cb"


def test_purge_replaces_the_properties(owner: ImageUser, registered_image: str) -> None:
    response = owner.api(
        "PUT",
        f"images/{registered_image}",
        X_Image_Meta_Property_OS="debian",
        X_Glance_Registry_Purge_Props="true",
    )
    assert [key for key in meta(response) if key.startswith("property-")] == ["property-os"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X_Image_Meta_Id": UNKNOWN}, 400),
        ({"X_Image_Meta_Location": "pithos://a/b/c"}, 400),
        ({"X_Image_Meta_Size": "8"}, 400),
        ({"X_Image_Meta_Disk_Format": "qcow2"}, 400),
        ({"X_Image_Meta_Status": "SAVING"}, 400),
        ({"X_Image_Meta_Status": "ERROR"}, 200),
        ({"X_Image_Meta_Owner": "whoever"}, 200),
        ({"X_Image_Meta_Nonsense": "x"}, 200),
        ({}, 200),
    ],
)
def test_rules_of_updating(
    owner: ImageUser, registered_image: str, headers: dict[str, str], status: int
) -> None:
    assert owner.api("PUT", f"images/{registered_image}", **headers).status_code == status


def test_unregistering_leaves_the_file(owner: ImageUser, registered_image: str) -> None:
    assert owner.api("DELETE", f"images/{registered_image}").status_code == 204
    assert detail(owner) == []
    assert fault(owner.api("DELETE", f"images/{registered_image}")) == (404, "itemNotFound")
    assert owner.call("HEAD", f"{STORE}/{owner.uuid}/images/debian.diskdump").status_code == 200


def test_copy_of_an_image_is_an_image_of_its_own(owner: ImageUser, registered_image: str) -> None:
    copied = owner.call(
        "PUT",
        f"{STORE}/{owner.uuid}/images/copy",
        headers={"X-Copy-From": "/images/debian.diskdump", "Content-Length": "0"},
        content_type="",
    )
    assert copied.status_code == 201
    images = detail(owner)
    assert len({image["id"] for image in images}) == 2
    assert {image["name"] for image in images} == {"Debian"}


def test_metadata_of_the_file_does_not_touch_the_image(owner: ImageUser, registered_image: str) -> None:
    url = f"{STORE}/{owner.uuid}/images/debian.diskdump"
    assert owner.call("POST", url, headers={"X-Object-Meta-Key": "value"}).status_code == 202
    assert [image["id"] for image in detail(owner)] == [registered_image]


def test_the_limit_of_metadata_holds_for_what_two_requests_make_together(
    owner: ImageUser, registered_image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    acting = astakos.authenticate(owner.token)
    first, second = ({f"{word}{n}": "v" for n in range(20)} for word in "ab")
    seen = images.get_image(acting, registered_image)
    image_changes.set_properties(acting, image_id=registered_image, properties=first)
    with monkeypatch.context() as patch, pytest.raises(BadRequest, match="at most 32"):
        patch.setattr(images, "get_image", lambda *_: seen)
        image_changes.set_properties(acting, image_id=registered_image, properties=second)
    assert images.get_image(acting, registered_image).properties == {**seen.properties, **first}


def test_members(owner: ImageUser, reader: ImageUser, registered_image: str) -> None:
    path = f"images/{registered_image}/members"
    assert owner.api("GET", path).json() == {"members": []}
    body = {"memberships": [{"member_id": reader.uuid, "can_share": True}]}
    assert owner.api("PUT", path, body).status_code == 204
    assert owner.api("GET", path).json()["members"] == [{"member_id": reader.uuid, "can_share": False}]
    assert [image["id"] for image in detail(reader)] == [registered_image]
    shared = reader.api("GET", f"shared-images/{owner.uuid}").json()
    assert shared == {"shared_images": [{"image_id": registered_image, "can_share": False}]}
    assert owner.api("GET", f"shared-images/{reader.uuid}").json() == {"shared_images": []}
    for _ in range(2):
        assert owner.api("DELETE", f"{path}/{reader.uuid}").status_code == 204
    assert detail(reader) == []


def test_members_that_the_store_gave_an_image_do_not_keep_others_from_changing(
    owner: ImageUser, reader: ImageUser, registered_image: str
) -> None:
    url = f"{STORE}/{owner.uuid}/images/debian.diskdump?update"
    sharing = {"X-Object-Sharing": f"read={owner.uuid}:old%20friends"}
    assert owner.call("POST", url, headers=sharing).status_code == 202
    path = f"images/{registered_image}/members"
    assert owner.api("PUT", f"{path}/{reader.uuid}").status_code == 204
    assert len(owner.api("GET", path).json()["members"]) == 2
    assert owner.api("DELETE", f"{path}/{reader.uuid}").status_code == 204


def test_members_of_a_public_image_leave_it_public(
    owner: ImageUser, reader: ImageUser, registered_image: str
) -> None:
    owner.api("PUT", f"images/{registered_image}", X_Image_Meta_Is_Public="true")
    assert owner.api("PUT", f"images/{registered_image}/members", {"memberships": []}).status_code == 204
    assert detail(owner)[0]["is_public"] is True


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"memberships": 3},
        {"memberships": ["x"]},
        {"memberships": [{}]},
        {"memberships": [{"member_id": "*"}]},
        {"memberships": [{"member_id": "a b"}]},
        {"memberships": [{"member_id": "x\n"}]},
    ],
)
def test_malformed_memberships_are_400(owner: ImageUser, registered_image: str, body: object) -> None:
    assert fault(owner.api("PUT", f"images/{registered_image}/members", body)) == (400, "badRequest")


COMPUTE = {
    "id", "name", "updated", "created", "status", "progress", "user_id", "tenant_id", "public", "links",
    "metadata", "is_snapshot", "minDisk", "minRam", "OS-EXT-IMG-SIZE:size",
}  # fmt: skip


def test_compute_view(owner: ImageUser, registered_image: str) -> None:
    assert owner.compute("GET", "images").json() == {"images": [{"id": registered_image, "name": "Debian"}]}
    [full] = owner.compute("GET", "images/detail").json()["images"]
    shown = owner.compute("GET", f"images/{registered_image}").json()["image"]
    assert shown == full
    assert set(shown) == COMPUTE
    assert (shown["status"], shown["progress"], shown["tenant_id"]) == ("ACTIVE", 100, owner.uuid)
    assert [link["rel"] for link in shown["links"]] == ["self", "bookmark", "alternate"]
    assert shown["links"][2]["href"].endswith(f"/cyclades/image/v1.0/images/{registered_image}")
    assert shown["metadata"] == {"osfamily": "linux", "root_partition": "1"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", shown["updated"])
    assert fault(owner.compute("POST", "images", {})) == (501, "notImplemented")
    assert fault(owner.compute("GET", "images/nonsense")) == (400, "badRequest")
    assert fault(owner.compute("GET", f"images/{uuid.uuid4()}")) == (404, "itemNotFound")


def test_compute_metadata(owner: ImageUser, registered_image: str) -> None:
    path = f"images/{registered_image}/metadata"
    merged = owner.compute("POST", path, {"metadata": {"Users": "root"}})
    assert (merged.status_code, merged.json()["metadata"]["Users"]) == (201, "root")
    assert owner.compute("GET", f"{path}/Users").json() == {"meta": {"Users": "root"}}
    item = owner.compute("PUT", f"{path}/os", {"meta": {"os": "debian"}})
    assert (item.status_code, item.json()) == (201, {"meta": {"os": "debian"}})
    assert owner.compute("DELETE", f"{path}/os").status_code == 204
    assert fault(owner.compute("GET", f"{path}/os")) == (404, "itemNotFound")
    assert fault(owner.compute("DELETE", f"{path}/os")) == (404, "itemNotFound")
    assert owner.compute("GET", path).json() == {
        "metadata": {"osfamily": "linux", "root_partition": "1", "Users": "root"}
    }
    assert fault(owner.compute("PUT", f"{path}/os", {"meta": {"x": "y"}})) == (400, "badRequest")
    assert fault(owner.compute("POST", path, {"metadata": {"x": 3}})) == (400, "badRequest")
    assert fault(owner.compute("POST", path, {"metadata": {"x" * 100: "y"}})) == (400, "badRequest")
    assert owner.compute("DELETE", f"images/{registered_image}").status_code == 204
    assert owner.compute("GET", "images").json() == {"images": []}
