"""Commands about objects."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

pytestmark = pytest.mark.db


def run(name: str, *args: str) -> str:
    out = StringIO()
    call_command(name, *args, stdout=out)
    return out.getvalue()


def test_file_show_by_path_and_by_id(maria):
    maria.put("docs/x", b"hello", x_object_sharing="read=*", x_object_public="true", x_object_meta_a="1")
    by_path = json.loads(run("file-show", maria.uuid, "docs", "x", "--hashmap", "--output-format", "json"))
    assert by_path["size"] in (5, "5")
    assert by_path["readers"] == "*"
    assert by_path["public"] == maria.head("docs/x")["X-Object-Public"]
    assert by_path["pithos:X-Object-Meta-A"] == "1"
    assert by_path["hashmap"] == by_path["hash"]
    assert run("file-show", by_path["uuid"])


def test_file_show_of_nothing_is_an_error(db):
    with pytest.raises(CommandError):
        run("file-show", "nobody", "c", "x")


def test_the_exported_service_has_one_endpoint_and_the_resource(db):
    document = run("service-export-pithos")
    assert "pithos.diskspace" in document
    assert "/pithos/object-store/v1" in document or "v1" in document
    assert "pithos_ui" not in document
