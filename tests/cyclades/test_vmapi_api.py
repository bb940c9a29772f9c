"""One-time server parameters (compute contract 17)."""

from __future__ import annotations

import json
import threading

import pytest
from django.db import OperationalError

from cyclades.logic import vmapi
from synnefo.errors import NotFound

pytestmark = pytest.mark.db

ROOT = "/cyclades/vmapi/v1.0/server-params"


def path_of(url: str) -> str:
    return "/" + url.split("/", 3)[3]


def test_parameters_are_given_out_once_without_a_token(client):
    url = vmapi.publish({"img_passwd": "word", "img_id": "null"})
    first = client.get(path_of(url))
    assert (first.status_code, first["Content-Type"]) == (200, "application/json")
    assert json.loads(first.getvalue()) == {"img_passwd": "word", "img_id": "null"}
    assert client.get(path_of(url)).status_code == 404


def test_unknown_key_is_404_with_a_fault(client):
    response = client.get(f"{ROOT}/00000000-0000-4000-8000-000000000000")
    assert response.status_code == 404
    assert set(response.json()) == {"itemNotFound"}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_verbs_are_refused(client, method):
    url = path_of(vmapi.publish({"a": "b"}))
    assert client.generic(method, url).status_code == 405
    assert client.get(url).status_code == 200


def test_an_answer_that_breaks_off_can_be_asked_for_again(client, db):
    key = vmapi.new_key()
    url = path_of(vmapi.publish({"a": "b"}, key=key))
    broken = client.get(url)
    assert client.get(url).status_code == 404
    next(iter(broken.streaming_content))
    broken.close()
    again = client.get(url)
    assert (again.getvalue(), again["Content-Length"]) == (b'{"a": "b"}', "10")
    again.close()
    assert not vmapi.cache.get(vmapi._entry(key))
    assert client.get(url).status_code == 404


def test_unknown_path_is_a_bad_request(client):
    assert client.get("/cyclades/vmapi/v1.0/other").status_code == 400


def test_the_cache_holds_no_clear_text(monkeypatch):
    seen: list[str] = []
    monkeypatch.setattr(vmapi.cache, "add", lambda key, value, timeout: seen.append(value) or True)
    vmapi.publish({"img_passwd": "Sup3rSecretWord"})
    assert seen
    assert "Sup3rSecretWord" not in seen[0]


def test_parameters_expire(settings):
    settings.VMAPI_TIMEOUT = 0
    key = vmapi.new_key()
    vmapi.publish({"a": "b"}, key=key)
    # Not before their job is submitted: its cluster may be away.
    assert vmapi.cache.get(vmapi._entry(key))
    vmapi.renew(key)
    with pytest.raises(NotFound):
        vmapi.take(key)


def test_without_reset_they_can_be_read_again(settings):
    settings.VMAPI_RESET_PARAMS = False
    key = vmapi.new_key()
    vmapi.publish({"a": "b"}, key=key)
    assert vmapi.take(key) == vmapi.take(key)


def test_the_node_is_sent_where_the_settings_say(settings):
    settings.VMAPI_BASE_HOST = "http://10.0.0.1:8080"
    assert vmapi.url_for("k") == "http://10.0.0.1:8080/cyclades/vmapi/v1.0/server-params/k"


def test_of_many_readers_one_wins(db):
    key = vmapi.new_key()
    vmapi.publish({"a": "b"}, key=key)
    won: list[str] = []
    barrier = threading.Barrier(16)

    def read() -> None:
        barrier.wait(timeout=60)
        try:
            won.append(vmapi.take(key))
        except NotFound:
            pass

    threads = [threading.Thread(target=read) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


@pytest.mark.django_db(transaction=True)
def test_a_created_server_has_its_secrets_in_the_cache_before_its_job(
    person, backend, create_body, monkeypatch
):
    from cyclades.ganeti import jobs
    from cyclades.models import JobIntent
    from synnefo import crypto

    taken: list[dict[str, str]] = []

    def submit(intent_id: int, _backend_id: int) -> None:
        sealed = JobIntent.objects.get(pk=intent_id).payload["vmapi"]
        taken.append(json.loads(vmapi.take(crypto.decrypt(sealed, vmapi.KEY_PURPOSE))))

    intend, refused = jobs.intend, []

    def intend_at_the_second_attempt(**values: object) -> object:
        if not refused:
            refused.append(values)
            raise OperationalError("database is locked")
        return intend(**values)

    monkeypatch.setattr(jobs, "intend", intend_at_the_second_attempt)
    monkeypatch.setattr(jobs, "_submit_after_commit", submit)
    body = create_body | {"user_data": "aGk=", "personality": [{"path": "/a", "contents": "aGk="}]}
    answer = person.api.post("servers", {"server": body}).json()["server"]
    assert taken[0]["img_passwd"] == answer["adminPass"]
    assert taken[0]["img_id"] == "pithosmap://a-map/2147483648"
    assert taken[0]["img_format"] == "diskdump"
    assert json.loads(taken[0]["img_properties"]) == {"OS": "debian", "USERS": "root"}
    assert json.loads(taken[0]["img_personality"]) == [{"path": "/a", "contents": "aGk="}]
    assert taken[0]["cloud_userdata"] == "aGk="
    assert all(isinstance(value, str) for value in taken[0].values())
    assert "auth_keys" not in taken[0]
