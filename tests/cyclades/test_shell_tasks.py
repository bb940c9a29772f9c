"""What the pages call things that are under way (web contract 4.1)."""

from __future__ import annotations

import pytest
from django.utils import translation

from branding import activity
from cyclades.models import SnapshotJob, Task
from cyclades.web import shell
from tests.cyclades.ganeti_fixtures import add_volume

#: These are done at once.
_WITHOUT_JOB = {Task.REASSIGN, Task.SUSPEND, Task.UNSUSPEND}


@pytest.mark.unit
@pytest.mark.parametrize("task", sorted(set(Task) - _WITHOUT_JOB))
def test_every_task_has_words_in_both_languages(task):
    texts = set()
    for language in ("en", "el"):
        with translation.override(language):
            texts.add(str(shell._TASKS[task]) % {"name": "web"})
    assert len(texts) == 2


@pytest.mark.db
@pytest.mark.django_db
def test_a_copy_of_a_volume_says_whose_it_is(person, make_server):
    server = make_server(name="web")
    volume = add_volume(server, name="data")
    common = {"volume": volume, "disk": "d", "size": 1}
    SnapshotJob.objects.create(snapshot_id="a", server=server, progress=40, **common)
    SnapshotJob.objects.create(snapshot_id="b", **common)
    tasks = {task.id: (task.label, task.percent) for task in activity.tasks_of(person.credentials)}
    assert tasks["snapshot-a"] == ("Copying the volume data of web", 40)
    assert tasks["snapshot-b"] == ("Copying the volume data", None)
