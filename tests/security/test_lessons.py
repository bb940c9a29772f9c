"""What went wrong in other clouds, and that it does not here: one test a lesson.

Lessons that are tested where the feature's own tests are: locations and allow-listed image headers in
tests/cyclades/test_image_api.py, backing files and absurd sizes in tests/gtools/test_osprovider_deploy.py,
possession of blocks in tests/pithos/test_hashmap_api.py, manifests and segments in
tests/pithos/test_sharing_api.py, forwarded headers in tests/synnefo/test_middleware.py, underscored headers
in tests/cyclades/test_image_functional.py, names with markup in tests/pithos/test_listing_api.py.
"""

from __future__ import annotations

import ast
import io
import logging
import math
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client

from astakos import public as astakos
from astakos.logic import accounts, user_changes, users
from astakos.models import User
from synnefo import crypto, logs
from synnefo.cache.memcached import MemcachedCache
from synnefo.credentials import Credentials
from tests.cyclades.image_fixtures import STORE, ImageUser, make_image_user, object_store  # noqa: F401
from tests.lab.memcached import Memcached
from tests.security.test_routes import ROUTES, reads_a_body, sample

ADMINISTRATOR = Credentials.administrator()
ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("synnefo", "astakos", "pithos", "cyclades", "stats", "gtools")


@pytest.fixture
def maria(make_image_user: Any) -> ImageUser:  # noqa: F811
    user: ImageUser = make_image_user("maria")
    return user


def whoami(user: ImageUser) -> int:
    return user.call("GET", "/astakos/account/v1.0/authenticate").status_code


# -- caches ----------------------------------------------------------------------------------------------


class Bomb:
    """Something that would run code when it is unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return eval, ("__import__('builtins').exploded.append(1)",)


@pytest.mark.functional
def test_a_pickle_planted_in_the_shared_cache_is_not_executed(
    memcached: Memcached, monkeypatch: pytest.MonkeyPatch
) -> None:
    exploded: list[int] = []
    monkeypatch.setattr("builtins.exploded", exploded, raising=False)
    cache = MemcachedCache(memcached.address, {})
    cache.set("planted", {"a": 1})
    planter = __import__("memcache").Client([memcached.address], pickler=pickle.Pickler)
    planter.set(cache.make_key("planted"), Bomb())
    assert cache.get("planted") is None
    assert exploded == []


def test_no_module_unpickles() -> None:
    guilty = [
        str(path)
        for name in SOURCES
        for path in (ROOT / name).rglob("*.py")
        if re.search(r"^\s*(import|from) (pickle|marshal|shelve)\b", path.read_text(), re.MULTILINE)
    ]
    assert guilty == []


# -- tokens ----------------------------------------------------------------------------------------------


@pytest.mark.db
def test_deactivation_ends_the_token_at_once(maria: ImageUser) -> None:
    assert whoami(maria) == 200
    user = User.objects.get(uuid=maria.uuid)
    accounts.deactivate(ADMINISTRATOR, user_id=user.pk)
    assert whoami(maria) == 401
    accounts.activate(ADMINISTRATOR, user_id=user.pk)
    assert whoami(maria) == 200


@pytest.mark.db
def test_renewal_ends_the_old_token_at_once(maria: ImageUser) -> None:
    assert whoami(maria) == 200
    changes = user_changes.UserChanges(renew_token=True)
    user_changes.modify(ADMINISTRATOR, user_id=User.objects.get(uuid=maria.uuid).pk, changes=changes)
    assert whoami(maria) == 401


def rows_as_text() -> Iterator[tuple[str, str]]:
    """Return every value of every table with the table's name."""
    for model in apps.get_models():
        with connection.cursor() as cursor:
            cursor.execute(f'SELECT * FROM "{model._meta.db_table}"')
            for row in cursor.fetchall():
                yield model._meta.db_table, " ".join(map(str, row))


@pytest.mark.db
@pytest.mark.django_db
def test_no_secret_is_in_plain_text_in_the_database() -> None:
    user = users.create(
        ADMINISTRATOR, email="c@lab.example", first_name="C", last_name="C", password="canary-password"
    )
    token = user_changes.modify(
        ADMINISTRATOR, user_id=user.pk, changes=user_changes.UserChanges(renew_token=True)
    ).token
    component = astakos.register_component(
        name="x", base_url="http://x.example", ui_url="http://x.example", services=[]
    )
    from cyclades.models import Backend
    from synnefo import clock

    Backend.objects.create(
        clustername="cluster.example", username="rapi", updated=clock.now(), disk_templates=[],
        password_hash=crypto.encrypt("canary-rapi", "cyclades.backend"),
    )  # fmt: skip
    text = list(rows_as_text())
    assert len(text) > 5
    for secret in ("canary-password", "canary-rapi", token, component):
        assert [table for table, row in text if str(secret) in row] == []


_SECRET_NAME = re.compile(r"(token|password|secret|signature|hmac|_code)\b")


def test_secrets_are_compared_in_constant_time() -> None:
    """No ``==`` has a secret on either side; secrets are looked up by digest or compared by hmac."""

    def name(node: ast.expr) -> str:
        return getattr(node, "attr", getattr(node, "id", ""))

    guilty = []
    for folder in SOURCES:
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text()
            if not _SECRET_NAME.search(text) or not re.search("[=!]=", text):
                continue  # parsing takes long
            for node in ast.walk(ast.parse(text)):
                if not isinstance(node, ast.Compare) or not isinstance(node.ops[0], ast.Eq | ast.NotEq):
                    continue
                sides = [node.left, *node.comparators]
                if any(isinstance(side, ast.Constant) for side in sides):
                    continue
                # Status codes are no secrets.
                names = {name(side) for side in sides} - {"status_code"}
                if any(_SECRET_NAME.search(side) for side in names):
                    guilty.append(f"{path.relative_to(ROOT)}:{node.lineno} {ast.unparse(node)}")
    assert guilty == []
    assert crypto.constant_time_equal("a", "a") and not crypto.constant_time_equal("a", "b")


# -- answers and logs ------------------------------------------------------------------------------------

BREAKABLE = [
    ("astakos.logic.project_queries.list_projects", "GET", "/astakos/account/v1.0/projects"),
    ("pithos.logic.containers.require_owner", "PUT", f"{STORE}/{{uuid}}/new"),
    ("cyclades.logic.networks.create", "POST", "/cyclades/network/v2.0/networks"),
]


@pytest.mark.db
@pytest.mark.parametrize(("function", "method", "path"), BREAKABLE)
def test_what_breaks_inside_is_not_told(
    maria: ImageUser, monkeypatch: pytest.MonkeyPatch, function: str, method: str, path: str
) -> None:
    def broken(*args: object, **options: object) -> None:
        raise RuntimeError("canary of /etc/secret")

    monkeypatch.setattr(function, broken)
    maria.client.raise_request_exception = False
    body = {"network": {"type": "MAC_FILTERED"}} if method == "POST" else b""
    answer = maria.call(method, path.format(uuid=maria.uuid), body)
    assert answer.status_code == 500
    assert b"canary" not in answer.content and b"RuntimeError" not in answer.content


@pytest.mark.db
def test_no_secret_reaches_the_log(maria: ImageUser, public_address: str) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(logs.RequestIdFilter())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        maria.call("GET", f"/astakos/account/v1.0/quotas?X-Auth-Token={maria.token}")
        maria.call("GET", f"/astakos/identity/v2.0/tokens/{maria.token}")
        tokens = "/astakos/identity/v2.0/tokens"
        maria.call("POST", tokens, {"auth": {"token": {"id": maria.token}}})
        credentials = {"username": maria.uuid, "password": maria.token}
        maria.call("POST", tokens, {"auth": {"passwordCredentials": credentials}})
        server = {"name": "x", "adminPass": "canary-password", "imageRef": "x", "flavorRef": 1,
                  "personality": [{"path": "/x", "contents": "Y2FuYXJ5LWZpbGU="}]}  # fmt: skip
        maria.compute("POST", "servers", {"server": server})
        key = "8f0b7f2e-3b1d-4b5f-9c9e-0d6f6f1f2a11"
        maria.call("GET", f"/cyclades/vmapi/v1.0/server-params/{key}")
        assert maria.client.get(public_address).status_code == 200
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    written = stream.getvalue()
    assert "/astakos/account/v1.0/quotas" in written
    public_id = public_address.rpartition("/")[2]
    for secret in (maria.token, "canary-password", "Y2FuYXJ5LWZpbGU=", key, public_id):
        assert secret not in written, [line for line in written.splitlines() if secret in line]


# -- addresses that are secrets --------------------------------------------------------------------------


@pytest.fixture
def public_address(maria: ImageUser) -> str:
    maria.upload("published")
    path = f"{STORE}/{maria.uuid}/images/published"
    maria.call("POST", f"{path}?update", headers={"X-Object-Public": "true"})
    return str(maria.call("HEAD", path)["X-Object-Public"])


@pytest.mark.db
def test_a_public_address_has_128_random_bits(public_address: str) -> None:
    public_id = public_address.rpartition("/")[2]
    alphabet = 62 if public_id.isalnum() else 64
    assert len(public_id) * math.log2(alphabet) >= 128


# -- metadata --------------------------------------------------------------------------------------------


@pytest.mark.db
def test_many_small_requests_do_not_pass_the_metadata_limit(maria: ImageUser, settings: Any) -> None:
    settings.PITHOS_RESOURCE_MAX_METADATA = 5
    maria.upload("a")
    paths = [f"{STORE}/{maria.uuid}", f"{STORE}/{maria.uuid}/images", f"{STORE}/{maria.uuid}/images/a"]
    for level, path in zip(("Account", "Container", "Object"), paths, strict=True):
        answers = [
            maria.call("POST", f"{path}?update", headers={f"X-{level}-Meta-K{number}": "v"}).status_code
            for number in range(7)
        ]
        assert answers == [202] * 5 + [400] * 2, level


@pytest.mark.db
def test_clients_cannot_write_the_metadata_of_services(maria: ImageUser) -> None:
    """An image's properties live in a domain of their own, which no header of the store reaches."""
    location = maria.upload("plain")
    path = f"{STORE}/{maria.uuid}/images/plain"
    for name in ("plankton:name", "Plankton-Name", "Snf-Image-Name"):
        maria.call("POST", f"{path}?update", headers={f"X-Object-Meta-{name.replace(':', '-')}": "forged"})
    assert maria.api("GET", "images").json() == []
    assert maria.register(location, name="real").status_code == 200
    assert [image["name"] for image in maria.api("GET", "images").json()] == ["real"]


# -- sizes -----------------------------------------------------------------------------------------------

_JSON_ROUTES = [
    (pattern, verb)
    for pattern, verbs in ROUTES
    for verb in verbs.split(", ")
    if reads_a_body(pattern, verb) and not pattern.startswith("pithos/")
]


@pytest.mark.db
def test_no_route_reads_a_body_without_limit(client: Client, maria: ImageUser) -> None:
    body = b'{"a": "' + b"x" * (9 << 20) + b'"}'
    accepted = []
    for pattern, verb in _JSON_ROUTES:
        answer = client.generic(
            verb, "/" + sample(pattern), body, content_type="application/json",
            headers={"X-Auth-Token": maria.token},
        )  # fmt: skip
        if not 400 <= answer.status_code < 502:
            accepted.append((verb, pattern, answer.status_code))
    assert accepted == []


@pytest.mark.db
def test_a_password_of_a_megabyte_is_refused_not_hashed(db: None) -> None:
    from synnefo.errors import BadRequest

    with pytest.raises(BadRequest):
        users.create(
            ADMINISTRATOR, email="l@lab.example", first_name="L", last_name="L", password="x" * (1 << 20)
        )
