"""Who may do what with an image: the rows of the contract's table, in both dialects (image contract 6)."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from django.http import HttpResponse

from tests.cyclades.image_fixtures import STORE, ImageUser

pytestmark = [pytest.mark.db, pytest.mark.django_db]

PATCH = "application/openstack-images-v2.1-json-patch"
FILE = "images/folder/debian.diskdump"


def _patch(path: str, value: object) -> Callable[[ImageUser, str, str], HttpResponse]:
    body = json.dumps([{"op": "add", "path": path, "value": value}])
    return lambda user, image, _: user.call(
        "PATCH", f"/cyclades/image/v2/images/{image}", body, content_type=PATCH
    )


def _v2(method: str, path: str, body: object = b"") -> Callable[[ImageUser, str, str], HttpResponse]:
    return lambda user, image, _: user.call(method, f"/cyclades/image/v2/images/{image}{path}", body)


def _v1(method: str, path: str = "", body: object = b"", **headers: str) -> Callable[..., HttpResponse]:
    return lambda user, image, _: user.api(method, f"images/{image}{path}", body, **headers)


#: Operation -> (call, what it needs).
OPERATIONS: dict[str, tuple[Callable[[ImageUser, str, str], HttpResponse], str]] = {
    "show": (_v1("HEAD"), "read"),
    "show in v2": (_v2("GET", ""), "read"),
    "download": (_v2("GET", "/file"), "read"),
    "show to compute": (lambda user, image, _: user.compute("GET", f"images/{image}"), "read"),
    "list members": (_v1("GET", "/members"), "read"),
    "set a property": (_v1("PUT", X_Image_Meta_Property_A="b"), "write"),
    "patch a property": (_patch("/a", "b"), "write"),
    "tag": (_v2("PUT", "/tags/t"), "write"),
    "set metadata": (
        lambda user, image, _: user.compute("POST", f"images/{image}/metadata", {"metadata": {"a": "b"}}),
        "write",
    ),
    "unregister": (_v1("DELETE"), "write"),
    "delete in v2": (_v2("DELETE", ""), "write"),
    "publish": (_v1("PUT", X_Image_Meta_Is_Public="True"), "own"),
    "publish in v2": (_patch("/visibility", "public"), "own"),
    "set the status": (_v1("PUT", X_Image_Meta_Status="ERROR"), "own"),
    "set members": (_v1("PUT", "/members", {"memberships": []}), "own"),
    "add a member": (_v1("PUT", "/members/somebody"), "own"),
    "remove a member": (_v1("DELETE", "/members/nobody"), "own"),
    "add a member in v2": (_v2("POST", "/members", {"member": "somebody"}), "own"),
    "register again": (lambda user, _, location: user.register(location), "own"),
}


def _share(owner: ImageUser, sharing: str, path: str = FILE) -> None:
    url = f"{STORE}/{owner.uuid}/{path}?update"
    assert owner.call("POST", url, headers={"X-Object-Sharing": sharing}).status_code == 202


def _nothing(owner: ImageUser, reader: ImageUser, image: str) -> None:
    return


def _member(owner: ImageUser, reader: ImageUser, image: str) -> None:
    assert owner.api("PUT", f"images/{image}/members/{reader.uuid}").status_code == 204


def _group(owner: ImageUser, reader: ImageUser, image: str) -> None:
    url = f"{STORE}/{owner.uuid}?update"
    assert owner.call("POST", url, headers={"X-Account-Group-Friends": reader.uuid}).status_code == 202
    assert owner.api("PUT", f"images/{image}/members/{owner.uuid}:friends").status_code == 204


def _folder(owner: ImageUser, reader: ImageUser, image: str) -> None:
    url = f"{STORE}/{owner.uuid}/images/folder"
    made = owner.call("PUT", url, CONTENT_TYPE="application/directory", CONTENT_LENGTH="0")
    assert made.status_code == 201
    _share(owner, f"read={reader.uuid}", "images/folder")


def _writer(owner: ImageUser, reader: ImageUser, image: str) -> None:
    _share(owner, f"write={reader.uuid}")


def _published(owner: ImageUser, reader: ImageUser, image: str) -> None:
    url = f"{STORE}/{owner.uuid}/{FILE}?update"
    assert owner.call("POST", url, headers={"X-Object-Public": "true"}).status_code == 202


#: How the caller came to the image -> what they have.
CALLERS = {
    "stranger": (_nothing, frozenset[str]()),
    "member": (_member, frozenset({"read"})),
    "member of a group": (_group, frozenset({"read"})),
    "reader of the folder": (_folder, frozenset({"read"})),
    "stranger to a published file": (_published, frozenset({"read"})),
    "writer": (_writer, frozenset({"read", "write"})),
}


@pytest.mark.parametrize("caller", [*CALLERS, "owner"])
def test_operations_by_what_the_caller_has(owner: ImageUser, reader: ImageUser, caller: str) -> None:
    from django.db import transaction

    location = owner.upload("folder/debian.diskdump")
    image = owner.register(location)["x-image-meta-id"]
    user, rights = owner, frozenset({"read", "write", "own"})
    if caller != "owner":
        give, rights = CALLERS[caller]
        give(owner, reader, image)
        user = reader
    wrong = {}
    for name, (call, needed) in OPERATIONS.items():
        with transaction.atomic():
            status = call(user, image, location).status_code
            transaction.set_rollback(True)
        if (status < 300) != (needed in rights) or (status >= 300 and status != 403):
            wrong[name] = status
    assert wrong == {}
