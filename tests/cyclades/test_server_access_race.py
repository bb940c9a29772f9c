"""Concurrent requests about one server's tags and project (compute contract 16, real threads)."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence

import pytest
from django.db import connections

from cyclades.logic import server_reassign, tag_changes
from cyclades.models import JobIntent, ServerTag
from synnefo.errors import SynnefoError
from tests.markers import needs_postgres

pytestmark = [pytest.mark.db, needs_postgres]


def together(calls: Sequence[Callable[[], object]]) -> Counter[int]:
    """Run *calls* at once, each in a thread, and count how they ended; 200 stands for no fault."""
    barrier = threading.Barrier(len(calls))
    codes: list[int] = []

    def run(call: Callable[[], object]) -> None:
        try:
            barrier.wait(timeout=60)
            call()
            codes.append(200)
        except SynnefoError as error:
            codes.append(error.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=180)
    return Counter(codes)


@pytest.mark.django_db(transaction=True)
def test_tags_together_keep_to_the_limit_and_are_made_once(person, make_server, submitted, settings):
    settings.CYCLADES_VM_MAX_TAGS = 3
    who, server = person.credentials, make_server()

    def add(tag: str) -> Callable[[], object]:
        return lambda: tag_changes.add_tag(who, server_id=server.pk, tag=tag)

    # Both requests for the tag "a" are refused, or neither is.
    assert together([add(tag) for tag in ("a", "a", "b", "c", "d", "e")])[400] in (2, 3)
    tags = set(ServerTag.objects.values_list("tag", flat=True))
    assert (len(tags), JobIntent.objects.count()) == (3, 3)


@pytest.mark.django_db(transaction=True)
def test_sharing_and_tagging_together_lose_neither(person, make_server, submitted, settings):
    settings.CYCLADES_SHARED_RESOURCES_ENABLED = True
    who, server = person.credentials, make_server()
    ended = together(
        [
            lambda: server_reassign.reassign(
                who, server_id=server.pk, project=person.uuid, shared_to_project=True
            ),
            lambda: tag_changes.replace_tags(who, server_id=server.pk, tags=["a", "b"]),
        ]
    )
    assert ended == {200: 2}
    server.refresh_from_db()
    assert (server.shared_to_project, ServerTag.objects.count()) == (True, 2)
