"""The web interface's SSH keys, graphs and statistics (compute contract 9.5, 12.2, 18.3)."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from astakos import public as astakos
from cyclades.logic import statistics
from cyclades.models import Network, PublicKeyPair, ServerState, Task
from synnefo import stats_token
from tests.cyclades.compute_fixtures import SAMPLE_IMAGE

pytestmark = pytest.mark.db

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGDVY7U8nbvBHvnMa9tMU0mnmHGSjM2ozFqrU6Am6xvD me@here"


@pytest.fixture
def call(client):
    def send(person, method: str, path: str, body: object = None, **extra: object):
        headers = {} if person is None else {"X-Auth-Token": person.api.token}
        extra.setdefault("content_type", "application/json")
        data = body if isinstance(body, str) else json.dumps(body)
        path = f"/cyclades/{path}"
        return client.generic(method, path, headers=headers, data="" if body is None else data, **extra)

    return send


class TestKeys:
    def test_a_key_is_kept_changed_and_deleted(self, call, person, stranger):
        made = call(person, "POST", "userdata/keys", {"name": "laptop", "content": KEY, "id": 7, "user": "x"})
        assert (made.status_code, made["Content-Type"]) == (200, "application/json")
        key = made.json()
        assert set(key) == {"id", "name", "content", "fingerprint", "uri"}
        assert key["uri"] == f"/cyclades/userdata/keys/{key['id']}"
        assert PublicKeyPair.objects.get().user == person.uuid
        path = f"userdata/keys/{key['id']}"
        for method in ("GET", "PUT", "DELETE"):
            assert call(stranger, method, path, {}).status_code == 404
        assert call(person, "PUT", path, {"name": "desk", "id": 8, "user": "x"}).json()["name"] == "desk"
        assert [found["name"] for found in call(person, "GET", "userdata/keys").json()] == ["desk"]
        gone = call(person, "DELETE", path)
        assert (gone.status_code, gone.json()) == (200, "")
        assert call(person, "GET", path).status_code == 404

    def test_errors_are_told_by_field(self, call, person, settings):
        answer = call(person, "POST", "userdata/keys", {"name": "a", "content": "zz"})
        assert answer.status_code == 422
        assert answer.json()["non_field_key"] == "__all__"
        assert list(answer.json()["errors"]) == ["content"]
        assert list(call(person, "POST", "userdata/keys", {}).json()["errors"]) == ["name", "content"]
        assert call(person, "POST", "userdata/keys", {"name": "a", "content": KEY}).status_code == 200
        twice = call(person, "POST", "userdata/keys", {"name": "a", "content": KEY})
        assert (twice.status_code, list(twice.json()["errors"])) == (422, ["__all__"])
        settings.USERDATA_MAX_SSH_KEYS_PER_USER = 1
        assert list(
            call(person, "POST", "userdata/keys", {"name": "b", "content": KEY}).json()["errors"]
        ) == ["__all__"]
        assert call(person, "POST", "userdata/keys/generate").status_code == 413

    @pytest.mark.parametrize(
        "body", ["", "{", "[]", '"x"', '{"name": ["a"], "content": 5}', '{"name": "\\u0000"}']
    )
    def test_malformed_bodies_are_the_clients_fault(self, call, person, body):
        assert call(person, "POST", "userdata/keys", body).status_code in (400, 422)

    def test_without_a_token_there_is_an_empty_401(self, call):
        answer = call(None, "GET", "userdata/keys")
        assert (answer.status_code, answer.content) == (401, b"")

    def test_a_pair_is_made_and_not_kept(self, call, person, settings):
        settings.USERDATA_SSH_KEY_LENGTH = 1024
        pair = call(person, "POST", "userdata/keys/generate").json()
        assert pair["private"].startswith("-----BEGIN RSA PRIVATE KEY-----")
        assert pair["public"].startswith("ssh-rsa ")
        assert not PublicKeyPair.objects.exists()

    def test_a_download_cannot_choose_its_headers(self, call, person):
        form = "data=secret&name=../a%22b%0d%0aX:%20y"
        answer = call(
            person, "POST", "userdata/keys/download", form, content_type="application/x-www-form-urlencoded"
        )
        assert (answer.status_code, answer.content) == (200, b"secret")
        assert answer["Content-Type"] == "application/x-pem-key"
        assert answer["Content-Disposition"] == 'attachment; filename="_a_b_X_y"'


class TestGraphs:
    def test_links_carry_a_token_that_only_we_read(self, person, stranger, make_server, settings):
        settings.CYCLADES_STATS_SECRET_KEY = "shared"
        server = make_server()
        stats = person.api.get(f"servers/{server.pk}/stats").json()["stats"]
        assert set(stats) == {"serverRef", "refresh", "cpuBar", "cpuTimeSeries", "netBar", "netTimeSeries"}
        assert (stats["serverRef"], stats["refresh"]) == (server.pk, 60)
        token = stats["cpuBar"].rpartition("/")[2]
        assert stats["cpuBar"] == f"http://stats.example.synnefo.org/stats/v1.0/cpu-bar/{token}"
        assert stats_token.open_token(token, secret="shared", now=0) == f"snf-{server.pk}"
        assert stranger.api.get(f"servers/{server.pk}/stats").status_code == 404

    def test_the_old_form_is_a_choice_of_the_site(self, person, make_server, settings):
        settings.CYCLADES_STATS_SECRET_KEY = "shared"
        settings.CYCLADES_STATS_LEGACY_TOKENS = True
        server = make_server()
        token = person.api.get(f"servers/{server.pk}/stats").json()["stats"]["netBar"].rpartition("/")[2]
        opened = stats_token.open_token(token, secret="shared", now=0, accept_legacy=True)
        assert opened == f"snf-{server.pk}"


@pytest.mark.unit
class TestTokens:
    def test_forged_expired_and_foreign_tokens_are_refused(self):
        token = stats_token.seal("snf-1", secret="a", expires=100)
        assert stats_token.open_token(token, secret="a", now=100) == "snf-1"
        changed = token[:20] + ("A" if token[20] != "A" else "B") + token[21:]
        old = stats_token.seal_legacy("snf-1", secret="a")
        for text, secret, now in (
            (token, "b", 0), (token, "a", 101), (changed, "a", 0), ("", "a", 0), ("v2.", "a", 0),
            ("v2.é", "a", 0), (old, "a", 0), ("x" * 3000, "a", 0),
        ):  # fmt: skip
            with pytest.raises(stats_token.StatsTokenError):
                stats_token.open_token(text, secret=secret, now=now)

    @pytest.mark.parametrize("name", ["snf-12345678901", "snf-123456789012", "snf-1234567890123"])
    def test_names_around_a_block_of_the_old_form_come_back(self, name):
        token = stats_token.seal_legacy(name, secret="a")
        assert stats_token.open_token(token, secret="a", now=0, accept_legacy=True) == name

    @pytest.mark.parametrize("text", ["", "!!", "AAAA", "é", "%00", "AAAAAAAAAAAAAAAAAAAAAA%3D%3D"])
    def test_malformed_old_tokens_are_refused(self, text):
        with pytest.raises(stats_token.StatsTokenError):
            stats_token.open_token(text, secret="a", now=0, accept_legacy=True)

    @pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", ".hidden", "", "a" * 300])
    def test_names_that_are_no_instances_are_refused(self, name):
        with pytest.raises(stats_token.StatsTokenError):
            stats_token.open_token(stats_token.seal(name, secret="a", expires=9), secret="a", now=0)

    def test_the_old_form_is_that_of_the_old_service(self):
        # Computed with another implementation of the same scheme.
        assert stats_token.seal_legacy("snf-142", secret="secret_key") == LEGACY_TOKEN


LEGACY_TOKEN = "fxNRsMphtsAbfDJSxntvvg%3D%3D"


class TestStatistics:
    def test_everybody_sees_counts_by_state(self, call, make_server):
        make_server()
        make_server(operstate=ServerState.STOPPED)
        make_server(operstate=ServerState.DESTROYED, deleted=True)
        Network.objects.create(name="n", flavor="CUSTOM", mac_prefix="aa:00:0", state="ACTIVE")
        body = call(None, "GET", "admin/stats").json()
        assert body["servers"]["ACTIVE"] == {"count": 1, "cpu": 2, "ram": 1024, "disk": 20}
        assert {state: row["count"] for state, row in body["servers"].items()} == {
            "BUILD": 0, "ACTIVE": 1, "STOPPED": 1, "ERROR": 0, "RESIZE": 0, "DELETED": 1,
        }  # fmt: skip
        assert body["networks"] == {
            "PENDING": {"count": 0}, "ACTIVE": {"count": 1}, "ERROR": {"count": 0}, "DELETED": {"count": 0},
        }  # fmt: skip
        assert call(None, "GET", "admin/stats/simple").json() == {
            "spawned_servers": 3, "active_servers": 2, "spawned_networks": 1,
        }  # fmt: skip

    @pytest.mark.django_db
    @pytest.mark.parametrize("path", ["admin/stats", "admin/stats/simple"])
    def test_strangers_do_not_make_the_database_count_again(self, call, django_assert_num_queries, path):
        first = call(None, "GET", path).json()
        with django_assert_num_queries(0):
            assert call(None, "GET", path).json() == first

    def test_details_are_for_permitted_groups(self, call, person, cluster, backend, monkeypatch):
        assert call(None, "GET", "admin/stats/detail").status_code == 401
        denied = call(person, "GET", "admin/stats/detail")
        assert (denied.status_code, denied.json()["forbidden"]["code"]) == (403, 403)
        permitted = replace(person.credentials, roles=frozenset({"admin-stats"}))
        monkeypatch.setattr(astakos, "authenticate_request", lambda _: permitted)
        shown = call(person, "GET", f"admin/stats/detail?backend={backend.pk}")
        assert list(shown.json()["clusters"]) == [backend.clustername]
        for unknown in ("none", "9" * 5000, "a%00"):
            assert call(person, "GET", f"admin/stats/detail?backend={unknown}").status_code == 400

    def test_details_hold_every_section(self, make_server, cluster, backend, internet, monkeypatch):
        make_server(operstate=ServerState.BUILD, task=Task.BUILD)
        make_server(operstate=ServerState.ERROR)
        cluster.nodes = [
            {"name": "n1", "vm_capable": True, "pinst_cnt": 2, "ctotal": 8, "mtotal": 4, "mfree": 1}
        ]
        found = statistics.detailed_statistics()
        assert list(found) == ["datetime", *statistics.SECTIONS]
        shown = found["clusters"][backend.clustername]
        assert (shown["virtual_servers"], shown["virtual_ram"], shown["drained"]) == (2, 2 << 30, "False")
        assert shown["nodes"]["n1"]["ram"] == {"total": 4 << 20, "free": 1 << 20}
        assert found["servers"]["started"]["count"] == found["servers"]["error"]["count"] == 1
        assert found["servers"]["started"]["disk"] == {"drbd": {str(20 << 30): 1}}
        assert found["ip_pools"]["active"] == {"count": 1, "free": 5, "total": 5}
        assert found["networks"] == {"CUSTOM": {"active": 1, "error": 0}}
        assert found["images"] == {"unknown:unknown:unknown": 2}
        monkeypatch.setattr(statistics.images, "list_images", lambda credentials: [SAMPLE_IMAGE])
        shown = statistics.detailed_statistics(sections=["images"])
        assert shown["images"] == {"user:unknown:unknown": 2}
        assert list(statistics.detailed_statistics(backend=backend)) == [
            "datetime", "clusters", "servers", "images",
        ]  # fmt: skip
        json.dumps(found)
