"""Object listings (object-storage contract 6.2)."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pithos.logic.listings import ObjectQuery, Subdir, list_objects
from synnefo.credentials import Credentials

pytestmark = pytest.mark.db

NAMES = ["a", "a/b", "a/c/d", "photos", "photos/", "photos/me", "photos/x/y", "z", "é", "\U0001f600"]


@pytest.fixture
def full(maria):
    for name in NAMES:
        assert maria.put(f"docs/{name}", b"x").status_code == 201
    return maria


def test_names_are_in_byte_order(full):
    assert full.names("docs") == sorted(NAMES, key=str.encode)
    assert full.get("docs").content.decode() == "".join(f"{n}\n" for n in sorted(NAMES, key=str.encode))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("limit=2", ["a", "a/b"]),
        ("marker=a/c/d&limit=2", ["photos", "photos/"]),
        ("limit=0&marker=z", ["é", "\U0001f600"]),
        ("prefix=ph", ["photos", "photos/", "photos/me", "photos/x/y"]),
        ("delimiter=/", ["a", "a/", "photos", "photos/", "z", "é", "\U0001f600"]),
        ("delimiter=/&limit=2", ["a", "a/"]),
        ("delimiter=/&marker=a/", ["photos", "photos/", "z", "é", "\U0001f600"]),
        ("delimiter=/&prefix=photos", ["photos/", "photos/me", "photos/x/"]),
        ("path=photos", ["photos/", "photos/me"]),
        ("path=/", ["a", "photos", "photos/", "z", "é", "\U0001f600"]),
        ("prefix=/z", ["z"]),
        ("prefix=nothing", []),
    ],
)
def test_selection(full, query, expected):
    assert full.names("docs", query) == expected


def test_empty_listings(maria):
    assert maria.get("docs").status_code == 204
    assert json.loads(maria.get("docs", query="format=json").content) == []


def test_the_fields_of_an_entry(maria):
    maria.put("docs/x", b"hello", type="text/plain")
    (entry,) = json.loads(maria.get("docs", query="format=json").content)
    assert entry["bytes"] == 5
    assert entry["content_type"] == "text/plain"
    assert entry["last_modified"].endswith("+00:00")
    assert isinstance(entry["x_object_version_timestamp"], str)
    assert isinstance(entry["x_object_version"], int)
    assert {
        "hash",
        "x_object_hash",
        "x_object_uuid",
        "x_object_modified_by",
        "available",
        "map_check_timestamp",
    } < set(entry)


def test_xml_begins_with_the_container_as_its_fifth_word(maria):
    maria.put('docs/<&">', b"")
    maria.put("docs/dir/x", b"")
    text = maria.get("docs", query="format=xml&delimiter=/").content.decode()
    assert text.split()[4] == 'name="docs">'
    assert '<name>&lt;&amp;"&gt;</name>' in text
    assert '<subdir name="dir/" />' in text


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        ("color", ["a", "b"]),
        ("!color", ["c"]),
        ("size", ["b", "c"]),
        ("color,size", ["a", "b", "c"]),
        ("color,!size", ["a"]),
        ("color=red", ["b"]),
        ("color != red", ["a"]),
        ("size>=5", ["c"]),
        ("size>1", ["b", "c"]),
    ],
)
def test_metadata_filters(maria, meta, expected):
    maria.put("docs/a", x_object_meta_color="blue")
    maria.put("docs/b", x_object_meta_color="red", x_object_meta_size="10")
    maria.put("docs/c", x_object_meta_size="9")
    assert maria.names("docs", f"meta={quote(meta)}") == expected


_text = st.text(st.sampled_from("ab/-\U0001f600é"), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.sets(_text, max_size=12),
    prefix=st.one_of(st.just(""), _text),
    delimiter=st.sampled_from(["", "/", "-", "ab"]),
    limit=st.integers(1, 5),
)
def test_paging_through_gives_the_same_as_folding_all_names(maria, names, prefix, delimiter, limit):
    """Whatever the page size, the pages together are the folded list of all names."""
    from pithos.logic.nodes import find_container
    from pithos.models import Cluster, Node, Version
    from synnefo import clock

    container = find_container(maria.uuid, "docs")
    Version.objects.filter(node__parent=container).delete()
    Node.objects.filter(parent=container).delete()
    for name in names:
        node = Node.objects.create(parent=container, name=name)
        Version.objects.create(node=node, cluster=Cluster.CURRENT, mtime=clock.now(), muser="m", uuid="u")
    expected: list[str] = []
    for name in sorted(names, key=str.encode):
        if name.startswith(prefix):
            position = name.find(delimiter, len(prefix)) if delimiter else -1
            end = position + len(delimiter)
            shown = name[:end] if position != -1 and end < len(name) else name
            if not expected or expected[-1] != shown:
                expected.append(shown)
    found: list[str] = []
    while True:
        page = list_objects(
            Credentials(maria.uuid),
            account=maria.uuid,
            container="docs",
            query=ObjectQuery(
                limit=limit, marker=found[-1] if found else "", prefix=prefix, delimiter=delimiter
            ),
        )
        found += [entry.name for entry in page]
        if len(page) < limit:
            break
    assert list(dict.fromkeys(found)) == found
    assert found == expected
    assert all(isinstance(entry, Subdir) or entry.name in names for entry in page)
