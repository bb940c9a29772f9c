"""Listings against a model of Swift's own (object-storage contract 22.2)."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pithos.logic import listings
from pithos.logic.listings import ObjectQuery, list_objects
from pithos.logic.nodes import create_container, ensure_account
from pithos.models import Node, Version
from synnefo import clock
from synnefo.credentials import Credentials

NAMES = st.text(alphabet="ab/é-", min_size=1, max_size=5)
TEXTS = st.text(alphabet="ab/é-", max_size=4)


def model(names: set[str], query: ObjectQuery) -> list[str]:
    """What Swift's container server lists: rows one by one, in byte order."""
    prefix, delimiter = query.prefix, query.delimiter
    found: list[str] = []
    for name in sorted(names, key=str.encode, reverse=query.reverse):
        low, high = (query.end_marker, query.marker) if query.reverse else (query.marker, query.end_marker)
        encoded = name.encode()
        if not name.startswith(prefix) or encoded <= low.encode() or (high and encoded >= high.encode()):
            continue
        position = name.find(delimiter, len(prefix)) if delimiter else -1
        folder = name[: position + len(delimiter)] if position >= 0 else None
        if not query.virtual:
            if name != prefix and folder in (None, name):
                found.append(name)
        elif folder is None:
            found.append(name)
        elif folder != query.marker and folder not in found:
            found.append(folder)
    return found[: query.limit]


@pytest.fixture
def fill(db, monkeypatch):
    """Fill one container with names, again and again; batches are small, so that pages meet their edges."""
    monkeypatch.setattr(listings, "_STEPS", 3)
    account = ensure_account("model")
    container = create_container(account, "names", muser="model")

    def put(names: set[str]) -> None:
        Version.objects.filter(node__parent=container).delete()
        Node.objects.filter(parent=container).delete()
        nodes = Node.objects.bulk_create([Node(parent=container, name=name) for name in sorted(names)])
        Version.objects.bulk_create(
            [Version(node=n, mtime=clock.now(), muser="m", uuid=str(n.pk), checksum="0" * 32) for n in nodes]
        )

    return put


@pytest.mark.db
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.sets(NAMES, max_size=14),
    queries=st.lists(
        st.builds(
            ObjectQuery,
            limit=st.integers(1, 6),
            marker=TEXTS,
            end_marker=TEXTS,
            prefix=TEXTS,
            delimiter=st.sampled_from(["", "/", "-", "a/", "é"]),
            reverse=st.booleans(),
            folds_ends=st.just(True),
        ),
        min_size=1,
        max_size=8,
    ),
)
def test_listings_are_those_of_the_model(fill, names, queries) -> None:
    fill(names)
    for query in queries:
        page = list_objects(Credentials(user_id="model"), account="model", container="names", query=query)
        assert [row.name for row in page] == model(names, query), query
