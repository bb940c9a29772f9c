"""Tags over HTTP and through Ganeti's events (compute contract 9.4, ganeti-backend contract 2.2)."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from cyclades.ganeti import clients, jobs, names, submission
from cyclades.ganeti.opcodes import Opcode
from cyclades.logic import server_events, tag_changes
from cyclades.models import IntentState, JobIntent, Server, ServerState, ServerTag, TagStatus, Task
from synnefo.credentials import Credentials
from tests.cyclades.ganeti_fixtures import op_event

pytestmark = [pytest.mark.db]

OLD, NEW = "α β", "blue_+%"


@pytest.fixture
def sent(submitted):
    """Nothing reaches Ganeti by itself."""
    return submitted


def give(server: Server, *tags: str, status: str = TagStatus.ACTIVE) -> None:
    for tag in tags:
        ServerTag.objects.create(server=server, tag=f"cyclades:user:{tag}", status=status)


def shown(person, server: Server) -> tuple[list[str], list[str]]:
    body = person.api.get(f"servers/{server.pk}/tags").json()
    return body["tags"], body["statuses"]


def happen(
    server: Server, opcode: str, *tags: str, status: str = "success", at: int = 1, **values: object
) -> None:
    """Let Ganeti tell the end of a job about *tags*."""
    encoded = tuple(names.encode_tag(f"cyclades:user:{tag}") for tag in tags)
    row = Server.objects.select_related("flavor", "backend").get(pk=server.pk)
    server_events.apply(row, op_event(row, opcode, status, tags=encoded, at=at, **values))


@pytest.mark.usefixtures("sent")
class TestApi:
    def test_a_new_tag_is_pending_until_ganeti_has_it(self, person, make_server):
        server = make_server()
        path = f"servers/{server.pk}/tags/{quote(OLD)}"
        response = person.api.put(path)
        assert response.status_code == 201
        assert response["Location"].endswith(f"/compute/v2.0/{path}")
        assert shown(person, server) == ([OLD], ["PENDADD"])
        assert person.api.get(path)["tag-status"] == "PENDADD"
        assert person.api.get(f"servers/{server.pk}").json()["server"]["tags"] == []
        happen(server, Opcode.TAGS_SET, OLD)
        assert shown(person, server) == ([OLD], ["ACTIVE"])
        response = person.api.get(path)
        assert (response.status_code, response["tag-status"]) == (204, "ACTIVE")
        assert person.api.put(path).status_code == 204
        assert person.api.get(f"servers/{server.pk}").json()["server"]["tags"] == [OLD]

    def test_replacing_removes_at_once_and_adds_with_the_event(self, person, make_server):
        server = make_server()
        give(server, OLD, "kept")
        response = person.api.put(f"servers/{server.pk}/tags", {"tags": ["kept", NEW, NEW]})
        assert (response.status_code, response.json()) == (
            200, {"tags": ["kept", NEW], "statuses": ["ACTIVE", "PENDADD"]},
        )  # fmt: skip
        assert shown(person, server) == (["kept", NEW], ["ACTIVE", "PENDADD"])
        payloads = [intent.payload for intent in JobIntent.objects.order_by("pk")]
        assert [(p["action"], p["body"]["tags"]) for p in payloads] == [
            ("tags-delete", ["cyclades:user:/CE/B1+/CE/B2"]),
            ("tags-add", ["cyclades:user:blue*/2B/25"]),
        ]
        assert Server.objects.get(pk=server.pk).task == ""

    def test_deleting_takes_active_tags_only(self, person, make_server):
        server = make_server()
        give(server, "a", "b")
        give(server, "c", status=TagStatus.PENDADD)
        assert person.api.delete(f"servers/{server.pk}/tags/c").status_code == 404
        assert person.api.delete(f"servers/{server.pk}/tags/a").status_code == 204
        assert person.api.delete(f"servers/{server.pk}/tags").status_code == 204
        assert person.api.delete(f"servers/{server.pk}/tags").status_code == 404
        assert shown(person, server) == (["c"], ["PENDADD"])
        assert person.api.get(f"servers/{server.pk}/tags/a").status_code == 404

    def test_tags_that_cannot_be_are_400(self, person, make_server):
        path = f"servers/{make_server().pk}/tags"
        for tag in ("a,b", "a/b", "x" * 61, "α" * 25, "a\x00", "x\ufffe" * 30):
            assert person.api.put(f"{path}/{quote(tag)}").status_code == 400, tag
            assert person.api.put(path, {"tags": [tag]}).status_code == 400, tag
        for body in ({}, {"tags": None}, {"tags": "a"}, {"tags": [1]}, {"tags": [""]}, []):
            assert person.api.put(path, body).status_code == 400, body

    def test_endings_that_look_like_formats_belong_to_the_tag(self, person, make_server):
        server = make_server()
        assert person.api.put(f"servers/{server.pk}/tags/data.json").status_code == 201
        assert shown(person, server)[0] == ["data.json"]

    def test_the_limit_holds_for_what_results(self, person, make_server, settings):
        settings.CYCLADES_VM_MAX_TAGS = 2
        server = make_server()
        give(server, "a", status=TagStatus.PENDADD)
        give(server, "b")
        assert person.api.put(f"servers/{server.pk}/tags/c").status_code == 400
        assert person.api.put(f"servers/{server.pk}/tags", {"tags": ["c", "d"]}).status_code == 400
        assert person.api.put(f"servers/{server.pk}/tags", {"tags": ["c"]}).status_code == 200

    def test_suspended_and_deleted_servers_keep_their_tags(self, person, make_server):
        for values, status in (({"suspended": True}, 403), ({"deleted": True}, 400)):
            server = make_server(**values)
            give(server, "a")
            for call in (person.api.put, person.api.delete):
                assert call(f"servers/{server.pk}/tags/a").status_code == status
            assert person.api.get(f"servers/{server.pk}/tags").status_code == 200

    def test_strangers_see_no_tags(self, stranger, make_server):
        server = make_server()
        assert stranger.api.get(f"servers/{server.pk}/tags").status_code == 404
        assert stranger.api.put(f"servers/{server.pk}/tags/a").status_code == 404

    def test_system_tags_are_the_administrators(self, person, make_server):
        server = make_server()
        administrator = Credentials.administrator()
        tag_changes.add_tag(administrator, server_id=server.pk, tag="rack 7", namespace="system")
        assert shown(person, server) == ([], [])
        found = tag_changes.list_tags(administrator, server_id=server.pk, namespace="system")
        assert [tag.name for tag in found] == ["rack 7"]
        with pytest.raises(Exception, match="administrators"):
            tag_changes.list_tags(person.credentials, server_id=server.pk, namespace="system")

    def test_a_failed_deletion_brings_the_tag_back(self, person, make_server):
        server = make_server()
        give(server, "a")
        person.api.delete(f"servers/{server.pk}/tags/a")
        happen(server, Opcode.TAGS_DEL, "a", status="error")
        assert shown(person, server) == (["a"], ["ACTIVE"])

    def test_a_failed_addition_takes_the_tag_away(self, person, make_server):
        server = make_server()
        person.api.put(f"servers/{server.pk}/tags/a")
        happen(server, Opcode.TAGS_SET, "a", status="error")
        assert shown(person, server) == ([], [])

    def test_a_tag_given_again_survives_the_event_of_its_deletion(self, person, make_server):
        server = make_server()
        give(server, "a")
        person.api.delete(f"servers/{server.pk}/tags/a")
        person.api.put(f"servers/{server.pk}/tags/a")
        happen(server, Opcode.TAGS_DEL, "a", at=1)
        assert shown(person, server) == (["a"], ["PENDADD"])
        happen(server, Opcode.TAGS_SET, "a", at=2)
        assert shown(person, server) == (["a"], ["ACTIVE"])

    def test_the_event_of_an_addition_counts_once(self, person, make_server):
        server = make_server()
        person.api.put(f"servers/{server.pk}/tags/a")
        JobIntent.objects.update(state=IntentState.SUBMITTED, job_id=100)
        happen(server, Opcode.TAGS_SET, "a")
        assert JobIntent.objects.get().state == IntentState.DONE
        person.api.delete(f"servers/{server.pk}/tags/a")
        happen(server, Opcode.TAGS_SET, "a", at=9)
        assert shown(person, server) == ([], [])

    def test_an_event_names_its_intent_before_the_job_is_stored(self, person, make_server):
        server = make_server()
        person.api.put(f"servers/{server.pk}/tags/a")
        intent = JobIntent.objects.get()
        happen(server, Opcode.TAGS_SET, "a", request_id=intent.request_id)
        intent.refresh_from_db()
        assert (intent.state, intent.job_id) == (IntentState.DONE, 100)

    def test_tags_do_not_make_the_end_of_a_start_look_old(self, person, make_server):
        server = make_server(operstate=ServerState.STOPPED, task=Task.START, task_job_id=100)
        happen(server, Opcode.TAGS_SET, "a", at=5)
        happen(server, Opcode.INSTANCE_STARTUP, at=4)
        server.refresh_from_db()
        assert (server.operstate, server.task) == (ServerState.STARTED, "")

    def test_an_event_that_was_overtaken_still_settles_its_tags(self, person, make_server):
        server = make_server()
        for tag in ("a", "b"):
            person.api.put(f"servers/{server.pk}/tags/{tag}")
        happen(server, Opcode.INSTANCE_REBOOT, at=9)
        first, second = (intent.request_id for intent in JobIntent.objects.order_by("pk"))
        happen(server, Opcode.TAGS_SET, "a", at=3, request_id=first)
        happen(server, Opcode.TAGS_SET, "b", status="error", at=4, request_id=second)
        happen(server, Opcode.TAGS_SET, "foreign", at=5)
        assert shown(person, server) == (["a"], ["ACTIVE"])


class TestJobs:
    @pytest.fixture(autouse=True)
    def _commit(self, django_capture_on_commit_callbacks):
        self.commit = lambda: django_capture_on_commit_callbacks(execute=True)

    def test_the_cluster_is_asked_in_its_encoding(self, person, make_server, cluster):
        server = make_server()
        with self.commit():
            person.api.put(f"servers/{server.pk}/tags", {"tags": [OLD]})
        name, arguments, _ = cluster.calls[-1]
        assert name == "AddInstanceTags"
        assert arguments == (f"snf-{server.pk}", ["cyclades:user:/CE/B1+/CE/B2"])
        assert JobIntent.objects.get().state == IntentState.SUBMITTED

    def test_many_long_tags_are_sent_in_parts_that_ganeti_accepts(
        self, person, make_server, cluster, settings
    ):
        settings.CYCLADES_VM_MAX_TAGS = 200
        server = make_server()
        tags = [f"{number:03d}{' ' * 57}" for number in range(100)]
        with self.commit():
            assert person.api.put(f"servers/{server.pk}/tags", {"tags": tags}).status_code == 200
        happen(server, Opcode.TAGS_SET, *tags)
        with self.commit():
            assert person.api.delete(f"servers/{server.pk}/tags").status_code == 204
        sent: dict[str, list[str]] = {}
        for name, (_, part), _ in cluster.calls:
            assert sum(len(quote(tag, safe="")) + len("&tag=") for tag in part) < 8000
            sent.setdefault(name, []).extend(part)
        encoded = [names.encode_tag(f"cyclades:user:{tag}") for tag in tags]
        assert sent == {"AddInstanceTags": encoded, "DeleteInstanceTags": encoded}

    def test_a_tag_waits_until_its_server_is_built(self, person, make_server, cluster):
        server = make_server(operstate=ServerState.BUILD, task=Task.BUILD, task_job_id=100)
        with self.commit():
            assert person.api.put(f"servers/{server.pk}/tags/a").status_code == 201
        assert cluster.methods() == []
        with self.commit():
            happen(server, Opcode.INSTANCE_CREATE)
        assert cluster.methods()[-1] == "AddInstanceTags"

    def test_a_tag_of_a_server_that_is_not_built_is_forgotten(self, person, make_server, cluster):
        server = make_server(operstate=ServerState.BUILD, task=Task.BUILD, task_job_id=100)
        with self.commit():
            person.api.put(f"servers/{server.pk}/tags/a")
        happen(server, Opcode.INSTANCE_CREATE, status="error")
        assert JobIntent.objects.get().state == IntentState.FAILED
        assert shown(person, server) == ([], [])

    def test_a_deletion_reaches_the_cluster_before_the_tag_is_given_again(self, person, make_server, cluster):
        server = make_server()
        give(server, "a")
        person.api.delete(f"servers/{server.pk}/tags/a")
        person.api.put(f"servers/{server.pk}/tags/a")
        submission.submit(JobIntent.objects.latest("pk").pk)
        assert cluster.methods() == ["DeleteInstanceTags", "AddInstanceTags"]

    @pytest.mark.parametrize("operation", [jobs.TAGS_ADD, jobs.TAGS_DELETE])
    def test_what_the_cluster_refuses_is_taken_back(self, person, make_server, cluster, operation):
        server = make_server()
        give(server, "a")
        cluster.failure = clients.RapiRefused(400, "no")
        with self.commit():
            if operation == jobs.TAGS_ADD:
                person.api.put(f"servers/{server.pk}/tags/b")
            else:
                person.api.delete(f"servers/{server.pk}/tags/a")
        assert shown(person, server) == (["a"], ["ACTIVE"])
