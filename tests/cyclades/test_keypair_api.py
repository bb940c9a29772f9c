"""SSH keys over HTTP (compute contract 12.1)."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from django.db import connection

from cyclades.logic import keypairs
from cyclades.models import PublicKeyPair
from synnefo.credentials import Credentials
from synnefo.errors import OverLimit
from tests.markers import needs_postgres

pytestmark = pytest.mark.db


def public_key() -> str:
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    return key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()


def post(person, **keypair: object):
    return person.api.post("os-keypairs", {"keypair": keypair})


def test_upload_list_show_delete(person):
    content = public_key()
    response = post(person, name="a b/c", public_key=content)
    assert response.status_code == 201
    assert set(response.json()["keypair"]) >= {"name", "fingerprint", "public_key"}
    assert "private_key" not in response.json()["keypair"]
    assert len(response.json()["keypair"]["fingerprint"]) == 47
    assert [k["keypair"]["name"] for k in person.api.get("os-keypairs").json()["keypairs"]] == ["a b/c"]
    assert person.api.get("os-keypairs/a%20b/c").json()["keypair"]["public_key"] == content
    assert person.api.delete("os-keypairs/a%20b/c").status_code == 204
    assert person.api.get("os-keypairs/a%20b/c").status_code == 404


def test_generated_private_key_belongs_to_the_public_one(person, settings):
    settings.USERDATA_SSH_KEY_LENGTH = 2048
    made = post(person, name="k").json()["keypair"]
    private = serialization.load_pem_private_key(made["private_key"].encode(), None)
    public = private.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    assert public.decode() == made["public_key"]
    assert made["private_key"].startswith("-----BEGIN RSA PRIVATE KEY-----")
    assert "private_key" not in person.api.get("os-keypairs/k").json()["keypair"]


def test_same_name_is_409_and_other_users_keys_are_unseen(person, stranger):
    post(person, name="k", public_key=public_key())
    assert post(person, name="k", public_key=public_key()).status_code == 409
    assert stranger.api.get("os-keypairs/k").status_code == 404
    assert stranger.api.delete("os-keypairs/k").status_code == 404


def test_too_many_keys_are_413(person, settings):
    settings.USERDATA_MAX_SSH_KEYS_PER_USER = 1
    post(person, name="k", public_key=public_key())
    assert post(person, name="l", public_key=public_key()).status_code == 413


@needs_postgres
@pytest.mark.django_db(transaction=True)
def test_keys_added_at_the_same_time_do_not_exceed_the_limit(person, settings):
    settings.USERDATA_MAX_SSH_KEYS_PER_USER = 2
    credentials = Credentials(person.uuid, frozenset({person.uuid}), person.uuid)
    barrier = threading.Barrier(8)

    def add(number: int) -> bool:
        content = public_key()
        barrier.wait(timeout=60)
        try:
            keypairs.create_keypair(credentials, name=f"k{number}", public_key=content)
        except OverLimit:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(add, range(8))) == 2
    assert PublicKeyPair.objects.filter(user=person.uuid).count() == 2


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "\u2028", "x" * 256, "\U0001f600", None, 5])
def test_bad_name_is_400(person, name):
    assert post(person, name=name, public_key=public_key()).status_code == 400


@pytest.mark.parametrize(
    "content", ["", "nonsense", "ssh-rsa", "ssh-rsa AAAA", "ssh-dss AAAAB3NzaC1kc3M=", 5, "x" * 30001]
)
def test_bad_key_is_400(person, content):
    assert post(person, name="k", public_key=content).status_code == 400


@pytest.mark.parametrize("body", [{}, {"keypair": None}, {"keypair": []}, {"keypair": {}}, []])
def test_bad_envelope_is_400(person, body):
    assert person.api.post("os-keypairs", body).status_code == 400
