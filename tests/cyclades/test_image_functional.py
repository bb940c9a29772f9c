"""Image properties through gunicorn, as kamaki sends them: underscores in header names (image contract 1)."""

# ruff: noqa: F811
from __future__ import annotations

import json

import pytest

from tests.cyclades.site_fixtures import Site, site  # noqa: F401

pytestmark = pytest.mark.functional


def test_properties_with_underscores_in_header_names_arrive(site: Site) -> None:
    store = f"/pithos/object-store/v1/{site.user}/images"
    assert site.call("PUT", store)[0] == 201
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
