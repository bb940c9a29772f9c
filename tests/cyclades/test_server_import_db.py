"""server-import where somebody else was at the new server meanwhile (Ganeti contract 10.6)."""

from __future__ import annotations

import pytest

from cyclades.logic import quota, quota_reconciliation, server_events, server_import
from cyclades.models import Backend, Server, ServerState, Task
from synnefo.credentials import Credentials
from synnefo.errors import NotFound
from tests.cyclades.ganeti_fixtures import op_event

pytestmark = [pytest.mark.db, pytest.mark.django_db]


@pytest.mark.parametrize("done", [True, False])
def test_what_its_user_deletes_during_a_failed_import_is_given_back_once(person, make_server, done):
    make_server(), make_server(operstate=ServerState.BUILD, action=Task.BUILD)
    for server in Server.objects.all():
        deltas = quota.server_deltas(server, Task.BUILD)
        quota.charge_now(server.userid, deltas, name="test")
    server.serial = quota.issue(server, quota.server_deltas(server, Task.DESTROY), name="test")
    server.task, server.task_job_id = Task.DESTROY, 100
    server.save()
    if done:
        server_events.apply(server, op_event(server, "OP_INSTANCE_REMOVE"))
    server_import._take_back(Credentials.administrator(), server)
    assert Server.objects.get(pk=server.pk).deleted
    assert person.usage("cyclades.vm") == (1, 0)
    found = quota_reconciliation.compare()
    assert not found.unsynced and not found.skipped


@pytest.mark.django_db(transaction=True)
def test_a_backend_that_is_removed_meanwhile_is_told(person, backend, flavor):
    gone = Backend.objects.get(pk=backend.pk)
    Backend.objects.all().delete()
    request = server_import.ImportRequest("web1", person.uuid, gone, "image", flavor, new_nics=True)
    with pytest.raises(NotFound, match="removed meanwhile"):
        server_import._inserted(request, {"disk.sizes": [2048]})
    assert not Server.objects.exists()
    assert person.usage("cyclades.vm") == (0, 0)
