"""Images in Glance's second dialect (image contract 11)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from cyclades.logic import queued_images
from cyclades.models import QueuedImage
from synnefo.errors import BadRequest, RequestTooLarge
from tests.cyclades.image_fixtures import STORE, ImageUser
from tests.cyclades.test_network_api import fault

pytestmark = [pytest.mark.db, pytest.mark.django_db]

ROOT = "/cyclades/image/v2"
UNKNOWN = "11111111-1111-1111-1111-111111111111"
FIELDS = {
    "id", "name", "status", "visibility", "protected", "os_hidden", "owner", "disk_format",
    "container_format", "size", "virtual_size", "min_disk", "min_ram", "checksum", "os_hash_algo",
    "os_hash_value", "created_at", "updated_at", "tags", "self", "file", "schema",
}  # fmt: skip
PATCH = "application/openstack-images-v2.1-json-patch"


def call(user: ImageUser, method: str, path: str, data: object = b"", **options: Any) -> HttpResponse:
    return user.call(method, f"{ROOT}/{path}", data, **options)


def create(user: ImageUser, **fields: object) -> dict[str, Any]:
    answer = call(user, "POST", "images", {"disk_format": "raw", "container_format": "bare", **fields})
    assert answer.status_code == 201, answer.content
    return answer.json()


def upload(user: ImageUser, image_id: str, data: bytes = b"an image") -> HttpResponse:
    return call(user, "PUT", f"images/{image_id}/file", data, content_type="application/octet-stream")


def uploaded(user: ImageUser, data: bytes = b"an image", **fields: object) -> str:
    image_id = create(user, **fields)["id"]
    assert upload(user, image_id, data).status_code == 204
    return image_id


def patch(user: ImageUser, image_id: str, *operations: dict[str, object], kind: str = PATCH) -> HttpResponse:
    return call(user, "PATCH", f"images/{image_id}", json.dumps(operations), content_type=kind)


def show(user: ImageUser, image_id: str) -> dict[str, Any]:
    answer = call(user, "GET", f"images/{image_id}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def names(user: ImageUser, query: str = "") -> list[str]:
    return [image["name"] for image in call(user, "GET", f"images?{query}").json()["images"]]


def test_an_image_is_queued_then_uploaded_and_keeps_its_id(owner: ImageUser) -> None:
    properties = {
        "owner_specified.openstack.md5": "",
        "Mixed.Case": "x",
        "owner_specified.openstack.object": "o",
    }
    queued = create(owner, name="Debian/12", tags=["b", "a"], min_disk=3, **properties)
    assert (queued["status"], queued["size"], queued["tags"]) == ("queued", None, ["a", "b"])
    assert owner.api("GET", "images").json() == []
    assert call(owner, "GET", f"images/{queued['id']}/file").status_code == 204
    assert upload(owner, queued["id"], b"x" * 1000).status_code == 204
    image = show(owner, queued["id"])
    assert set(image) >= FIELDS
    assert image | {
        "id": queued["id"], "name": "Debian/12", "status": "active", "size": 1000, "visibility": "private",
        "checksum": hashlib.md5(b"x" * 1000).hexdigest(), "disk_format": "raw", "min_disk": 3,
        "snf_disk_format": "diskdump", "Mixed.Case": "x", "owner_specified.openstack.object": "o",
        "tags": ["a", "b"], "snf_is_snapshot": "False",
    } == image  # fmt: skip
    assert image["snf_location"].startswith(f"pithos://{owner.uuid}/images/Debian%252F12-")
    [old] = owner.api("GET", "images/detail").json()
    assert (old["id"], old["disk_format"]) == (queued["id"], "diskdump")
    assert not QueuedImage.objects.exists()


def test_data_comes_back_whole_and_in_parts(owner: ImageUser) -> None:
    data = bytes(range(256)) * 4
    path = f"images/{uploaded(owner, data)}/file"
    whole = call(owner, "GET", path)
    assert (whole.status_code, b"".join(whole.streaming_content)) == (200, data)
    assert (whole["Content-MD5"], whole["Content-Length"]) == (hashlib.md5(data).hexdigest(), "1024")
    for asked, expected in (
        ("bytes=10-19", data[10:20]),
        ("bytes=1000-", data[1000:]),
        ("bytes=-5", data[-5:]),
    ):
        part = call(owner, "GET", path, headers={"Range": asked})
        assert (part.status_code, b"".join(part.streaming_content)) == (206, expected)
    assert part["Content-Range"] == "bytes 1019-1023/1024"
    assert call(owner, "GET", path, headers={"Range": "bytes=1024-"}).status_code == 416
    for nonsense in ("bytes=5-1", "bytes=1-2,4-5", "lines=1-2"):
        answer = call(owner, "GET", path, headers={"Range": nonsense})
        assert (answer.status_code, b"".join(answer.streaming_content)) == (200, data)


def test_upload_happens_once_and_needs_a_queued_image(owner: ImageUser, reader: ImageUser) -> None:
    image_id = uploaded(owner)
    assert fault(upload(owner, image_id)) == (409, "conflict")
    assert fault(upload(owner, UNKNOWN)) == (404, "itemNotFound")
    queued = create(owner)["id"]
    assert upload(reader, queued).status_code == 404
    answer = call(owner, "PUT", f"images/{queued}/file", b"x", content_type="text/plain")
    assert answer.status_code == 415
    with pytest.raises(BadRequest):
        queued_images.upload(_credentials(owner), image_id=queued, pieces=iter([]))
    assert show(owner, queued)["status"] == "queued"


def test_an_upload_that_fails_leaves_the_image_queued(owner: ImageUser, settings) -> None:
    image_id = create(owner)["id"]
    settings.MAX_IMAGE_UPLOAD_SIZE = 10
    assert upload(owner, image_id, b"x" * 11).status_code == 413
    pieces = iter([b"x" * 8, b"x" * 8])
    credentials = _credentials(owner)
    with pytest.raises(RequestTooLarge):
        queued_images.upload(credentials, image_id=image_id, pieces=pieces)
    assert show(owner, image_id)["status"] == "queued"
    assert upload(owner, image_id, b"x" * 10).status_code == 204


def _credentials(user: ImageUser) -> Any:
    from astakos import public as astakos

    return astakos.authenticate(user.token)


def test_an_image_over_quota_is_413_and_can_be_uploaded_later(owner: ImageUser) -> None:
    from astakos.models import Holding

    image_id = create(owner)["id"]
    Holding.objects.filter(resource="pithos.diskspace").update(limit=4)
    assert fault(upload(owner, image_id)) == (413, "overLimit")
    assert show(owner, image_id)["status"] == "queued"


def test_changes_of_a_queued_image_count_when_its_data_comes(owner: ImageUser) -> None:
    image_id = create(owner, name="old", gone="x")["id"]
    answer = patch(
        owner, image_id,
        {"op": "replace", "path": "/name", "value": "new"}, {"op": "add", "path": "/os~1x", "value": "y"},
        {"op": "remove", "path": "/gone"}, {"op": "add", "path": "/visibility", "value": "public"},
    )  # fmt: skip
    assert (answer.status_code, answer.json()["name"], answer.json()["os/x"]) == (200, "new", "y")
    upload(owner, image_id)
    image = show(owner, image_id)
    assert (image["name"], image["visibility"], image["os/x"], "gone" in image) == (
        "new",
        "public",
        "y",
        False,
    )


def test_patch_of_an_image_with_data(owner: ImageUser, registered_image: str) -> None:
    answer = patch(
        owner, registered_image,
        {"op": "replace", "path": "/osfamily", "value": "linux,windows"},
        {"op": "remove", "path": "/root_partition"},
        {"op": "add", "path": "/tags", "value": ["x"]},
        {"op": "replace", "path": "/protected", "value": True},
    )  # fmt: skip
    image = answer.json()
    assert (image["osfamily"], image["tags"], image["protected"]) == ("linux,windows", ["x"], True)
    assert "root_partition" not in image
    assert patch(owner, registered_image).json() == show(owner, registered_image)


@pytest.mark.parametrize(
    ("operation", "status"),
    [
        ({"op": "replace", "path": "/id", "value": "x"}, 403),
        ({"op": "replace", "path": "/status", "value": "active"}, 403),
        ({"op": "add", "path": "/snf_location", "value": "pithos://a/b/c"}, 403),
        ({"op": "add", "path": "/locations", "value": []}, 403),
        ({"op": "remove", "path": "/name"}, 403),
        ({"op": "remove", "path": "/none"}, 409),
        ({"op": "replace", "path": "/none", "value": "x"}, 409),
        ({"op": "add", "path": "/disk_format", "value": "qcow2"}, 400),
        ({"op": "add", "path": "/visibility", "value": "community"}, 400),
        ({"op": "add", "path": "/x", "value": 3}, 400),
        ({"op": "add", "path": "/x", "value": "v" * 257}, 400),
        ({"op": "add", "path": f"/{'k' * 200}", "value": "v"}, 400),
        ({"op": "add", "path": "/x"}, 400),
        ({"op": "add", "path": "/x/y", "value": "x"}, 400),
        ({"op": "move", "path": "/x", "value": "x"}, 400),
        ({"op": "add", "path": "/tags", "value": "x"}, 400),
        ({"op": "add", "path": "/tags", "value": ["x" * 200, "y" * 200]}, 400),
        ({"op": "add", "path": "/min_disk", "value": -1}, 400),
        ({"op": "add", "path": "/protected", "value": "yes"}, 400),
    ],
)
def test_what_a_patch_cannot_do(
    owner: ImageUser, registered_image: str, operation: dict[str, object], status: int
) -> None:
    before = show(owner, registered_image)
    assert patch(owner, registered_image, operation).status_code == status
    assert show(owner, registered_image) == before
    assert patch(owner, registered_image, operation, kind="application/json").status_code == 415


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": 3}, 400),
        ({"disk_format": "iso"}, 400),
        ({"id": "no-uuid"}, 400),
        ({"status": "active"}, 403),
        ({"size": 3}, 403),
        ({"direct_url": "file:///etc/passwd"}, 403),
        ({"property": ["x"]}, 400),
        ({f"p{n}": "x" for n in range(40)}, 400),
        ({"id": UNKNOWN}, 201),
        ({"x": None, "y": ""}, 201),
    ],
)
def test_rules_of_creating(owner: ImageUser, body: dict[str, object], status: int) -> None:
    assert call(owner, "POST", "images", body).status_code == status


def test_an_id_is_used_once(owner: ImageUser, reader: ImageUser, registered_image: str) -> None:
    create(owner, id=UNKNOWN)
    for taken in (UNKNOWN, registered_image):
        assert fault(call(reader, "POST", "images", {"id": taken})) == (409, "conflict")


def test_lists_filter_sort_and_page(owner: ImageUser, reader: ImageUser) -> None:
    uploaded(owner, b"x" * 10, name="b", tags=["t"], os="debian")
    uploaded(owner, b"x" * 20, name="a", visibility="public")
    shared = uploaded(owner, b"x" * 30, name="c")
    call(owner, "POST", f"images/{shared}/members", {"member": reader.uuid})
    create(owner, name="queued")
    uploaded(owner, name="hidden", os_hidden=True)
    assert names(owner, "sort=name:asc") == ["a", "b", "c", "queued"]
    assert names(owner) == ["queued", "c", "a", "b"]
    assert names(owner, "sort_key=size&sort_dir=asc") == ["queued", "b", "a", "c"]
    expected = {
        "visibility=public": ["a"], "visibility=shared": ["c"], "visibility=private": ["queued", "b"],
        "visibility=community": [], "tag=t": ["b"], "os=debian": ["b"], "status=queued": ["queued"],
        "size_min=11&size_max=25": ["a"], "name=in:a,b": ["a", "b"], f"id=in:{shared}": ["c"],
        "os_hidden=true": ["hidden"], "disk_format=raw&name=a": ["a"], "none=x": [],
        f"owner={reader.uuid}": [],
        "created_at=lt:2001-01-01T00:00:00Z": [], "protected=true": [], "member_status=pending&name=c": ["c"],
    }  # fmt: skip
    assert {query: names(owner, query) for query in expected} == expected
    assert sorted(names(reader)) == ["a", "c"]
    page = call(owner, "GET", "images?limit=2&sort=name:asc").json()
    assert page["first"] == "/v2/images?limit=2&sort=name%3Aasc"
    following = owner.call("GET", f"/cyclades/image{page['next']}").json()
    assert [image["name"] for image in following["images"]] == ["c", "queued"]
    assert "next" not in following


@pytest.mark.parametrize(
    "query",
    [
        "sort_key=zz", "sort=name:up", "sort_dir=up", "limit=x", "limit=0", f"marker={UNKNOWN}", "size_min=x",
        "visibility=x", "os_hidden=x", "created_at=2001", "member_status=x",
    ],
)  # fmt: skip
def test_a_malformed_query_is_400(owner: ImageUser, query: str) -> None:
    assert fault(call(owner, "GET", f"images?{query}")) == (400, "badRequest")


def test_a_list_costs_a_fixed_number_of_queries(
    owner: ImageUser, django_assert_num_queries: Callable[..., object]
) -> None:
    for count in (1, 4):
        while len(names(owner)) < count:
            uploaded(owner, name=f"image {len(names(owner))}")
        with django_assert_num_queries(7):
            names(owner)


def test_members(owner: ImageUser, reader: ImageUser, registered_image: str) -> None:
    path = f"images/{registered_image}/members"
    added = call(owner, "POST", path, {"member": reader.uuid})
    assert (added.status_code, added.json()["member_id"], added.json()["status"]) == (
        200, reader.uuid, "accepted",
    )  # fmt: skip
    assert fault(call(owner, "POST", path, {"member": reader.uuid})) == (409, "conflict")
    assert fault(call(reader, "POST", path, {"member": "x"})) == (403, "forbidden")
    assert show(reader, registered_image)["visibility"] == "shared"
    assert [m["member_id"] for m in call(reader, "GET", path).json()["members"]] == [reader.uuid]
    assert call(reader, "PUT", f"{path}/{reader.uuid}", {"status": "accepted"}).status_code == 200
    assert call(reader, "PUT", f"{path}/{reader.uuid}", {"status": "x"}).status_code == 400
    assert call(owner, "GET", f"{path}/{owner.uuid}").status_code == 404
    assert call(owner, "DELETE", f"{path}/{reader.uuid}").status_code == 204
    assert call(reader, "GET", f"images/{registered_image}").status_code == 403
    patch(owner, registered_image, {"op": "replace", "path": "/visibility", "value": "public"})
    assert fault(call(owner, "GET", path)) == (403, "forbidden")


def test_tags(owner: ImageUser, registered_image: str) -> None:
    path = f"images/{registered_image}/tags"
    assert call(owner, "PUT", f"{path}/web%20server").status_code == 204
    assert call(owner, "PUT", f"{path}/b").status_code == 204
    assert show(owner, registered_image)["tags"] == ["b", "web server"]
    assert call(owner, "DELETE", f"{path}/b").status_code == 204
    assert call(owner, "DELETE", f"{path}/b").status_code == 404
    assert owner.api("GET", "images/detail").json()[0]["properties"].keys() == {"osfamily", "root_partition"}


def files(user: ImageUser) -> list[str]:
    listed = user.call("GET", f"{STORE}/{user.uuid}/images?format=json").json()
    return [entry["name"] for entry in listed]


def test_deleting_takes_the_file_only_if_it_was_uploaded_here(
    owner: ImageUser, reader: ImageUser, registered_image: str
) -> None:
    image_id = uploaded(owner, name="mine", protected=True)
    assert fault(call(owner, "DELETE", f"images/{image_id}")) == (403, "forbidden")
    assert owner.api("DELETE", f"images/{image_id}").status_code == 403
    patch(owner, image_id, {"op": "replace", "path": "/protected", "value": False})
    assert call(reader, "DELETE", f"images/{image_id}").status_code == 403
    for each in (image_id, registered_image, create(owner)["id"]):
        assert call(owner, "DELETE", f"images/{each}").status_code == 204
    assert files(owner) == ["debian.diskdump"]
    assert names(owner) == []


def test_a_copy_of_an_uploaded_file_is_not_deleted_with_its_image(owner: ImageUser) -> None:
    image_id = uploaded(owner, name="mine")
    [name] = files(owner)
    owner.call("COPY", f"{STORE}/{owner.uuid}/images/{name}", headers={"Destination": "/images/copy"})
    [copy] = [i["id"] for i in call(owner, "GET", "images").json()["images"] if i["id"] != image_id]
    assert call(owner, "DELETE", f"images/{copy}").status_code == 204
    assert sorted(files(owner)) == sorted([name, "copy"])


def test_at_most_a_hundred_images_wait(owner: ImageUser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queued_images, "MAX_QUEUED", 1)
    create(owner)
    assert fault(call(owner, "POST", "images", {"name": "x"})) == (413, "overLimit")


def test_schemas_and_what_is_not_offered(owner: ImageUser, registered_image: str, client: Client) -> None:
    for name in ("image", "images", "member", "members"):
        assert call(owner, "GET", f"schemas/{name}").json()["name"] == name
    assert call(owner, "GET", "schemas/image").json()["additionalProperties"] == {"type": "string"}
    assert call(owner, "POST", f"images/{registered_image}/actions/deactivate").status_code == 501
    assert call(owner, "POST", f"images/{registered_image}/import", {}).status_code == 501
    assert "OpenStack-image-import-methods" not in call(owner, "POST", "images", {}).headers
    versions = client.get("/cyclades/image").json()["versions"]
    assert [v["links"][0]["href"] for v in versions if v["id"] == "v2.9"] == [
        "http://testserver/cyclades/image/v2/"
    ]
