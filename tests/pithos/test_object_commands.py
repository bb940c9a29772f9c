"""Commands about objects."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

pytestmark = pytest.mark.db


def run(name: str, *args: str) -> str:
    out = StringIO()
    call_command(name, *args, stdout=out)
    return out.getvalue()


def show(*args: str) -> dict[str, Any]:
    return json.loads(run("file-show", *args, "--output-format", "json"))


def test_file_show_by_path_and_by_id(maria):
    maria.put("docs/x", b"hello", x_object_sharing="read=*", x_object_public="true", x_object_meta_a="1")
    by_path = show(maria.uuid, "docs", "x", "--hashmap")
    assert by_path["bytes"] == 5
    assert (by_path["read"], by_path["write"]) == (["*"], [])
    assert by_path["X-Object-Public"] == maria.head("docs/x")["X-Object-Public"]
    assert by_path["X-Object-Meta-A"] == "1"
    assert by_path["hashmap"] == [by_path["hash"]]
    assert by_path["modified_by"] == maria.uuid
    assert (by_path["available"], by_path["is_snapshot"]) == (1, False)
    assert show(by_path["uuid"], "--hashmap") == by_path
    assert run("file-show", by_path["uuid"])


def test_file_show_tells_whose_grants_apply(maria, nikos):
    maria.put("docs/dir", type="application/directory", x_object_sharing=f"write={nikos.uuid}")
    maria.put("docs/dir/x", b"hello")
    shown = show(maria.uuid, "docs", "dir/x")
    assert shown["permissions_from"] == f"{maria.uuid}/docs/dir"
    assert shown["write"] == [nikos.uuid]
    assert "X-Object-Public" not in shown


def test_file_show_of_an_old_version_also_of_a_deleted_object(maria):
    maria.put("docs/x", b"first", x_object_meta_a="1")
    serial, uuid = (maria.head("docs/x")[f"X-Object-{key}"] for key in ("Version", "UUID"))
    maria.put("docs/x", b"second version")
    maria.delete("docs/x")
    for place in ((maria.uuid, "docs", "x"), (uuid,)):
        shown = show(*place, "--obj-version", serial)
        assert (shown["bytes"], shown["X-Object-Meta-A"], shown["version"]) == (5, "1", int(serial))
        with pytest.raises(CommandError):
            show(*place)


def test_file_show_of_another_domain(maria):
    maria.put("docs/x", b"hello", x_object_meta_a="1")
    assert "X-Object-Meta-A" not in show(maria.uuid, "docs", "x", "--domain", "plankton")


def test_file_show_of_nothing_is_an_error(db):
    with pytest.raises(CommandError):
        run("file-show", "nobody", "c", "x")
    with pytest.raises(CommandError):
        run("file-show", "nobody", "c")


def test_the_exported_service_has_one_endpoint_and_the_resource(db):
    (service,) = json.loads(run("service-export-pithos")).values()
    assert (service["type"], service["prefix"]) == ("object-store", "object-store")
    (endpoint,) = service["endpoints"]
    assert endpoint["versionId"] == "v1"
    assert endpoint["publicURL"] == "http://testserver/pithos/object-store/v1"
    assert endpoint["SNF:exposeVersion"] is True
    assert [resource["name"] for resource in service["resources"].values()] == ["pithos.diskspace"]
