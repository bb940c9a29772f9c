"""Images through gunicorn: kamaki's headers (image contract 1), openstacksdk, the OpenStack command line."""

# ruff: noqa: F811
from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.astakos.test_openstack_clients import openstack_lines
from tests.cyclades.site_fixtures import Site, site  # noqa: F401
from tests.lazily import Lazily

pytestmark = [pytest.mark.functional, pytest.mark.e2e]
openstack = Lazily("openstack")


def login(site: Site) -> dict[str, str]:
    return {
        "username": site.user, "password": site.token, "project_id": site.user, "user_domain_id": "default",
    }  # fmt: skip


def auth_url(site: Site) -> str:
    return f"http://127.0.0.1:{site.port}/astakos/identity/v3"


@pytest.fixture(scope="module")
def cloud(site: Site) -> Iterator[Any]:
    options = login(site) | {"project_domain_id": "default"}
    with openstack.connect(auth_url=auth_url(site), identity_api_version="3", **options) as cloud:
        yield cloud


def test_the_command_line_creates_shows_changes_saves_and_deletes(site: Site, tmp_path: Path) -> None:
    data = os.urandom(5 << 20)
    (tmp_path / "disk.raw").write_bytes(data)
    image, as_json = ["image"], ["-f", "json"]
    made, listed, _, shown, _, by_tag, _, left = openstack_lines(
        auth_url(site),
        [*image, "create", "Debian 12", "--file", str(tmp_path / "disk.raw"), "--disk-format", "raw",
         "--property", "os_distro=debian", "--min-disk", "1", "--private", *as_json],
        [*image, "list", *as_json],
        [*image, "set", "Debian 12", "--name", "renamed", "--property", "OSFAMILY=linux", "--tag", "web"],
        [*image, "show", "renamed", *as_json],
        [*image, "save", "renamed", "--file", str(tmp_path / "saved")],
        [*image, "list", "--tag", "web", *as_json],
        [*image, "delete", "renamed"],
        [*image, "list", *as_json],
        **login(site),
    )  # fmt: skip
    assert json.loads(made)["status"] == "active"
    assert [row["Name"] for row in json.loads(listed)] == ["Debian 12"]
    document = json.loads(shown)
    assert (document["checksum"], document["size"]) == (hashlib.md5(data).hexdigest(), len(data))
    assert document["properties"] | {"os_distro": "debian", "OSFAMILY": "linux"} == document["properties"]
    assert (tmp_path / "saved").read_bytes() == data
    assert [row["Name"] for row in json.loads(by_tag)] == ["renamed"]
    assert json.loads(left) == []


def test_openstacksdk_uploads_lists_shares_and_deletes(cloud: Any, site: Site) -> None:
    data = b"x" * 100_000
    made = cloud.create_image(
        "sdk",
        data=data,
        disk_format="raw",
        container_format="bare",
        validate_checksum=True,
        wait=True,
        OS="arch",
    )
    assert (made.status, made.size) == ("active", len(data))
    assert cloud.get_image("sdk").id == made.id
    assert [image.id for image in cloud.image.images(limit=1)] == [made.id]
    assert cloud.image.download_image(made.id).content == data
    member = cloud.image.add_member(made.id, member_id="someone")
    assert [m.member_id for m in cloud.image.members(made.id)] == [member.member_id]
    cloud.image.remove_member("someone", image=made.id)
    updated = cloud.image.update_image(made.id, visibility="public", name="public one")
    assert (updated.visibility, updated.name) == ("public", "public one")
    cloud.image.add_tag(made.id, "a")
    assert cloud.image.get_image(made.id).tags == ["a"]
    # The same image in the older dialect.
    status, _, content = site.call("GET", "/cyclades/image/v1.0/images/detail")
    assert status == 200
    assert [(i["id"], i["properties"]["OS"]) for i in json.loads(content)] == [(made.id, "arch")]
    assert cloud.delete_image(made.id)
    assert list(cloud.image.images()) == []


def test_an_image_larger_than_memory_should_hold_is_streamed_in_chunks(cloud: Any, site: Site) -> None:
    made = cloud.image.create_image(
        "chunks", disk_format="raw", container_format="bare", allow_duplicates=True
    )
    assert made.status == "queued"
    pieces = (bytes([number]) * (1 << 20) for number in range(9))
    answer = cloud.image.put(
        f"/images/{made.id}/file", data=pieces, headers={"Content-Type": "application/octet-stream"}
    )
    assert answer.status_code == 204
    part = cloud.image.get(f"/images/{made.id}/file", headers={"Range": "bytes=4194300-4194309"})
    assert part.content == bytes([3] * 4 + [4] * 6)
    cloud.delete_image(made.id)


def test_properties_with_underscores_in_header_names_arrive(site: Site) -> None:
    store = f"/pithos/object-store/v1/{site.user}/images"
    assert site.call("PUT", store)[0] in (201, 202)  # the tests share the site
    assert site.call("PUT", f"{store}/debian.diskdump", b"image", **{"Content-Type": "x/y"})[0] == 201
    registration = {
        "X-Image-Meta-Name": "Debian%20Base",
        "X-Image-Meta-Location": f"pithos://{site.user}/images/debian.diskdump",
        "x-image-meta-property-OSFAMILY": "linux",
        "x-image-meta-property-ROOT_PARTITION": "1",
        "x-image-meta-property-EXCLUDE_TASK_ChangePassword": "yes",
        # A spoof of the known field, which must not get through.
        "x_image_meta_checksum": "0",
    }
    status, headers, _ = site.call("POST", "/cyclades/image/v1.0/images/", **registration)
    assert status == 200
    assert headers["x-image-meta-property-root-partition"] == "1"
    _, _, content = site.call("GET", "/cyclades/image/v1.0/images/detail")
    assert json.loads(content)[0]["properties"] == {
        "osfamily": "linux",
        "root_partition": "1",
        "exclude_task_changepassword": "yes",
    }
    # kamaki's modify sends the old value and the new one.
    both = {"x-image-meta-property-osfamily": "linux", "x-image-meta-property-OSFAMILY": "windows"}
    _, headers, _ = site.call("PUT", f"/cyclades/image/v1.0/images/{headers['x-image-meta-id']}", **both)
    assert headers["x-image-meta-property-osfamily"] == "windows"
    path = f"/cyclades/image/v1.0/images/{headers['x-image-meta-id']}"
    assert site.call("DELETE", path)[0] == 204
