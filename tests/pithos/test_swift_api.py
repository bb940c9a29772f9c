"""Swift's dialect over the same data (object-storage contract 22)."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import tarfile
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.test import Client

from astakos import public as astakos
from pithos.api.swift import containers as swift_containers
from pithos.api.swift import cors
from pithos.logic import swift_objects
from pithos.logic.listings import ObjectQuery, list_objects
from pithos.models import Version
from synnefo import clock
from tests.pithos.conftest import ROOT, Person, body_of
from tests.remembered import remembered

pytestmark = [pytest.mark.db, pytest.mark.django_db]


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


class Swift:
    """One user's own account in Swift's dialect, or somebody else's."""

    def __init__(self, person: Person, account: str = "", token: str | None = None) -> None:
        self.person = person
        self.account = account or person.uuid
        self.token = person.token if token is None else token
        self.client = Client(raise_request_exception=True)

    def __call__(
        self,
        method: str,
        path: str = "",
        data: bytes = b"",
        *,
        query: str = "",
        type: str = "",
        **headers: str,
    ) -> Any:
        url = f"{ROOT}/AUTH_{self.account}/{quote(path)}".rstrip("/" if not path else "")
        environ: dict[str, str] = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
        if self.token:
            environ["HTTP_X_AUTH_TOKEN"] = self.token
        environ |= {"CONTENT_LENGTH": str(len(data)), "CONTENT_TYPE": type}
        return self.client.generic(method, f"{url}?{query}" if query else url, data, **environ)

    def put(self, path: str, data: bytes = b"data", **more: Any) -> Any:
        answer = self("PUT", path, data, **more)
        assert answer.status_code in (201, 202), answer.content
        return answer

    def names(self, container: str, query: str = "") -> list[str]:
        answer = self("GET", container, query=f"format=json&{query}")
        assert answer.status_code == 200
        return [item.get("name") or item["subdir"] for item in answer.json()]


@pytest.fixture
def alice(make_user: Callable[[str], Person]) -> Person:
    return make_user("alice")


@pytest.fixture
def bob(make_user: Callable[[str], Person]) -> Person:
    return make_user("bob")


@pytest.fixture
def swift(alice: Person) -> Swift:
    found = Swift(alice)

    def put() -> None:
        found.put("c")

    remembered(put, "Swift's container", alice.uuid)
    return found


@pytest.fixture
def stranger(swift: Swift, bob: Person) -> Swift:
    return Swift(bob, swift.account)


@pytest.fixture
def nobody(swift: Swift) -> Swift:
    return Swift(swift.person, token="")


# -- accounts and containers -------------------------------------------------------------------------------


def test_info_is_for_everybody(client: Client) -> None:
    answer = client.get("/pithos/object-store/info")
    assert answer.status_code == 200
    assert answer.json()["swift"]["max_file_size"] == 5 << 30


def test_the_old_login_leads_to_this_dialect(alice: Person, client: Client) -> None:
    headers = {"X-Auth-User": alice.uuid, "X-Auth-Key": alice.token}
    answer = client.get(f"{ROOT}/", headers=headers)
    assert answer["X-Storage-Url"].endswith(f"/v1/AUTH_{alice.uuid}")
    assert answer["X-Storage-Token"] == alice.token


def test_an_account_counts_its_objects(swift: Swift) -> None:
    swift.put("c/o", b"12345")
    head = swift("HEAD")
    assert head.status_code == 204
    assert head["X-Account-Object-Count"] == "1" and head["X-Account-Container-Count"] == "1"
    assert float(head["X-Timestamp"]) <= clock.now().timestamp()
    assert head["X-Trans-Id"] == head["X-Openstack-Request-Id"]


def test_posts_merge_and_remove(swift: Swift) -> None:
    for path, level in (("", "Account"), ("c", "Container")):
        first = {f"x_{level}_meta_a": "1", f"x_{level}_meta_b": "2"}
        assert swift("POST", path, **first).status_code == 204
        assert (
            swift("POST", path, **{f"x_{level}_meta_a": "", f"x_remove_{level}_meta_b": "x"}).status_code
            == 204
        )
        assert swift("POST", path, **{f"x_{level}_meta_c": "3"}).status_code == 204
        head = swift("HEAD", path)
        assert f"X-{level}-Meta-A" not in head and f"X-{level}-Meta-B" not in head
        assert head[f"X-{level}-Meta-C"] == "3"


def test_containers_are_listed_with_swifts_parameters(swift: Swift) -> None:
    for name in ("a-1", "a-2", "b"):
        swift.put(name)
    assert swift.names("", "prefix=a") == ["a-1", "a-2"]
    assert swift.names("", "delimiter=-") == ["a-", "b", "c"]
    assert swift.names("", "reverse=true&limit=2") == ["c", "b"]
    assert swift.names("", "marker=a-1&end_marker=c") == ["a-2", "b"]
    for limit in ("10001", "0" * 12 + "10001"):
        assert swift("GET", query=f"limit={limit}").status_code == 412
    assert swift("GET")["X-Account-Container-Count"] == "4"


def test_container_policies_under_swifts_names(swift: Swift) -> None:
    assert (
        swift("POST", "c", x_container_meta_quota_bytes="10", x_versions_enabled="false").status_code == 204
    )
    head = swift("HEAD", "c")
    assert (head["X-Container-Meta-Quota-Bytes"], head["X-Versions-Enabled"]) == ("10", "False")
    assert swift("PUT", "c/o", b"x" * 11).status_code == 413
    assert swift("POST", "c", x_remove_container_meta_quota_bytes="x").status_code == 204
    swift.put("c/o", b"x" * 11)


def test_only_empty_containers_are_deleted(swift: Swift) -> None:
    swift.put("c/o")
    assert swift("DELETE", "c").status_code == 409
    assert swift("DELETE", "c/o").status_code == 204
    assert swift("DELETE", "c").status_code == 204
    assert swift("HEAD", "c").status_code == 404


# -- listings ----------------------------------------------------------------------------------------------

NAMES = ["a", "p/", "p/1", "p/2/x", "p/2/y", "p/3", "q", "q/", "r/s"]


@pytest.fixture
def tree(swift: Swift) -> Swift:
    for name in NAMES:
        swift.put(f"c/{name}", b"")
    return swift


def model(
    *, prefix: str = "", delimiter: str = "", marker: str = "", end_marker: str = "", reverse: bool = False,
    limit: int = 10_000,
) -> list[str]:  # fmt: skip
    """Swift's rules, written down a second time."""
    low, high = (end_marker, marker) if reverse else (marker, end_marker)
    found: list[str] = []
    for name in sorted(NAMES, key=str.encode, reverse=reverse):
        if not name.startswith(prefix) or name <= low or (high and name >= high):
            continue
        position = name.find(delimiter, len(prefix)) if delimiter else -1
        item = name if position == -1 else name[: position + len(delimiter)]
        if item not in found and not (position != -1 and item == marker):
            found.append(item)
    return found[:limit]


QUERIES = [
    {"prefix": prefix, "delimiter": delimiter, "marker": marker, "end_marker": end_marker, "limit": limit}
    for prefix in ("", "p", "p/", "p/2/", "z")
    for delimiter in ("", "/", "/2")
    for marker in ("", "a", "p/", "p/2", "p/2/x", "q")
    for end_marker in ("", "p/2/", "q")
    for limit in (2, 10_000)
]


@pytest.mark.parametrize("reverse", [False, True])
def test_listings_follow_swifts_rules(tree: Swift, reverse: bool) -> None:
    reader = astakos.authenticate(tree.token)
    for query in QUERIES:
        asked = ObjectQuery(**query, reverse=reverse, virtual=True, folds_ends=True)
        entries = list_objects(reader, account=tree.account, container="c", query=asked)
        assert [entry.name for entry in entries] == model(**query, reverse=reverse), query


@pytest.mark.parametrize("reverse", [False, True])
def test_requests_ask_for_these_listings(tree: Swift, reverse: bool) -> None:
    # Each value of each parameter, beside most values of the others.
    for query in QUERIES[::13]:
        text = f"{urlencode(query)}{'&reverse=true' if reverse else ''}"
        assert tree.names("c", text) == model(**query, reverse=reverse), text


def test_paths_list_one_level_without_folders(tree: Swift) -> None:
    assert tree.names("c", "path=p") == ["p/1", "p/3"] or tree.names("c", "path=p") == ["p/", "p/1", "p/3"]
    assert tree.names("c", "path=") == ["a", "q"]


def test_entries_have_swifts_fields(swift: Swift) -> None:
    swift.put("c/o", b"12345", type="text/x-a")
    [entry] = swift("GET", "c", query="format=json").json()
    assert entry["hash"] == md5(b"12345") and entry["bytes"] == 5 and entry["content_type"] == "text/x-a"
    assert len(entry["last_modified"]) == len("2026-01-01T00:00:00.000000")
    text = swift("GET", "c")
    assert text.content == b"o\n" and text["X-Container-Object-Count"] == "1"
    assert (
        b'<subdir name="o"><name>o</name></subdir>'
        in swift("GET", "c", query="format=xml&delimiter=o").content
    )
    swift("DELETE", "c/o")
    assert swift("GET", "c").status_code == 204


# -- objects -----------------------------------------------------------------------------------------------


def test_an_object_comes_back_with_its_md5(swift: Swift) -> None:
    put = swift.put("c/a.txt", b"12345", x_object_meta_colour="red")
    assert put["ETag"] == md5(b"12345") and "Last-Modified" in put
    get = swift("GET", "c/a.txt")
    assert body_of(get) == b"12345" and get["Content-Length"] == "5"
    assert get["ETag"] == md5(b"12345") and get["Content-Type"] == "text/plain"
    assert get["X-Object-Meta-Colour"] == "red"
    assert not [name for name in get.headers if name.startswith(("X-Object-Hash", "X-Object-UUID"))]
    assert swift("PUT", "c/x", b"1", etag=md5(b"2")).status_code == 422
    assert swift("PUT", "c/a.txt", b"1", if_none_match="*").status_code == 412


def test_what_the_other_dialect_wrote_gets_an_md5(swift: Swift, alice: Person) -> None:
    size = 1 << 22
    first = alice.call("PUT", "c/one", b"x" * 10)
    hashes = json.loads(alice.call("GET", "c/one", query="hashmap&format=json").content)
    assert alice.call("PUT", "c/two", json.dumps(hashes).encode(), query="hashmap").status_code == 201
    Version.objects.filter(node__name="two").update(checksum="")
    assert first.status_code == 201 and size
    assert swift("HEAD", "c/two")["ETag"] == md5(b"x" * 10)
    assert Version.objects.get(node__name="two", cluster=0).checksum == md5(b"x" * 10)
    Version.objects.filter(node__name="two").update(checksum="")
    entry = swift("GET", "c", query="format=json&prefix=two").json()[0]
    assert entry["hash"] == md5(b"x" * 10)


@pytest.mark.parametrize(
    ("header", "status", "body", "content_range"),
    [
        ("bytes=1-2", 206, b"12", "bytes 1-2/10"),
        ("bytes=8-20", 206, b"89", "bytes 8-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=-30", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=10-", 416, None, "bytes */10"),
        ("bytes=5-2", 200, b"0123456789", None),
        ("lines=1-2", 200, b"0123456789", None),
    ],
)
def test_ranges_are_cut_to_the_object(
    swift: Swift, header: str, status: int, body: bytes | None, content_range: str | None
) -> None:
    swift.put("c/o", b"0123456789")
    answer = swift("GET", "c/o", range=header)
    assert answer.status_code == status and answer.headers.get("Content-Range") == content_range
    if body is not None:
        assert body_of(answer) == body


def test_parts_of_several_ranges_say_their_type(swift: Swift) -> None:
    swift.put("c/o", b"0123456789", type="text/x-a")
    answer = swift("GET", "c/o", range="bytes=0-1,5-6")
    assert answer.status_code == 206 and body_of(answer).count(b"Content-Type: text/x-a") == 2


def test_a_post_replaces_metadata_and_may_change_the_type(swift: Swift) -> None:
    swift.put("c/o", b"1", type="text/plain", x_object_meta_a="1", x_object_manifest="c/seg")
    assert swift("POST", "c/o", type="text/x-b", x_object_meta_b="2").status_code == 202
    head = swift("HEAD", "c/o")
    assert head["Content-Type"] == "text/x-b" and head["X-Object-Meta-B"] == "2"
    assert "X-Object-Meta-A" not in head and "X-Object-Manifest" not in head


def test_copies(swift: Swift) -> None:
    swift.put("c/o", b"12345", x_object_meta_a="1", type="text/x-a")
    copied = swift("COPY", "c/o", destination="c/p", x_object_meta_b="2")
    assert copied.status_code == 201 and copied["ETag"] == md5(b"12345")
    assert copied["X-Copied-From"] == "c/o" and copied["X-Copied-From-Account"] == f"AUTH_{swift.account}"
    head = swift("HEAD", "c/p")
    assert (head["X-Object-Meta-A"], head["X-Object-Meta-B"], head["Content-Type"]) == ("1", "2", "text/x-a")
    assert swift("PUT", "c/q", x_copy_from="/c/o", x_fresh_metadata="true").status_code == 201
    assert "X-Object-Meta-A" not in swift("HEAD", "c/q")
    assert swift("COPY", "c/o", destination="none/p").status_code == 404


# -- large objects -----------------------------------------------------------------------------------------


def test_a_dynamic_large_object(swift: Swift) -> None:
    for number in (2, 0, 1):
        swift.put(f"c/big_{number}", str(number).encode() * 3)
    swift.put("c/big", b"", x_object_manifest=quote("c/big_"))
    joined = md5("".join(md5(str(number).encode() * 3) for number in range(3)).encode())
    get = swift("GET", "c/big", range="bytes=2-6")
    assert body_of(get) == b"01112" and get["ETag"] == f'"{joined}"'
    assert get["X-Object-Manifest"] == "c/big_"
    assert body_of(swift("GET", "c/big", query="multipart-manifest=get")) == b""
    assert swift("COPY", "c/big", destination="c/flat").status_code == 201
    assert body_of(swift("GET", "c/flat")) == b"000111222" and "X-Object-Manifest" not in swift(
        "HEAD", "c/flat"
    )


def manifest(*segments: dict[str, Any]) -> bytes:
    return json.dumps(list(segments)).encode()


def test_a_static_large_object(swift: Swift, alice: Person) -> None:
    swift.put("c/s1", b"aaaa")
    swift.put("c/s2", b"bbbb")
    body = manifest(
        {"path": "/c/s1", "etag": md5(b"aaaa"), "size_bytes": 4}, {"path": "c/s2", "range": "1-2"}
    )
    put = swift("PUT", "c/big", body, query="multipart-manifest=put", type="text/x-a")
    assert put.status_code == 201
    etag = md5(f"{md5(b'aaaa')}{md5(b'bbbb')}:1-2;".encode())
    assert put["ETag"] == f'"{etag}"'
    head = swift("HEAD", "c/big")
    assert head["Content-Length"] == "6" and head["X-Static-Large-Object"] == "True"
    assert (
        body_of(swift("GET", "c/big")) == b"aaaabb"
        and body_of(swift("GET", "c/big", range="bytes=3-4")) == b"ab"
    )
    assert body_of(alice.call("GET", "c/big")) == b"aaaabb"
    listed = swift("GET", "c/big", query="multipart-manifest=get").json()
    assert [(item["name"], item["bytes"]) for item in listed] == [("/c/s1", 4), ("/c/s2", 4)]
    raw = swift("GET", "c/big", query="multipart-manifest=get&format=raw").json()
    assert raw[1] == {"path": "/c/s2", "etag": md5(b"bbbb"), "size_bytes": 4, "range": "1-2"}
    swift.put("c/s1", b"cccc")
    assert swift("GET", "c/big").status_code == 409
    deleted = swift("DELETE", "c/big", query="multipart-manifest=delete", accept="application/json")
    assert deleted.json()["Number Deleted"] == 3 and swift.names("c") == []


@pytest.mark.parametrize(
    "segment",
    [
        {"path": "/c/none"}, {"path": "/c/s", "etag": "0" * 32}, {"path": "/c/s", "size_bytes": 9},
        {"path": "/c/s", "range": "9-"}, {"path": "c"}, {"path": 7}, {"path": "/c/s", "size_bytes": -1},
        {"path": "/c/s", "etag": 7}, "text", {"path": "/c/s", "range": "x"},
    ],
)  # fmt: skip
def test_segments_are_looked_at(swift: Swift, segment: Any) -> None:
    swift.put("c/s", b"1234")
    answer = swift("PUT", "c/big", json.dumps([segment]).encode(), query="multipart-manifest=put")
    assert answer.status_code == 400
    assert swift.names("c") == ["s"]


# -- many at once ------------------------------------------------------------------------------------------


def test_bulk_delete(swift: Swift, django_assert_max_num_queries: Any) -> None:
    names = [f"o é {number}" for number in range(30)]
    for name in names:
        swift.put(f"c/{name}", b"1")
    swift.put("empty")
    lines = [quote(f"/c/{name}") for name in names] + ["/c/none", "/empty", "/c", "/nowhere/x"]
    swift.put("c/left", b"1")
    with django_assert_max_num_queries(60):
        answer = swift(
            "POST", data="\n".join(lines).encode(), query="bulk-delete", type="text/plain",
            accept="application/json",
        )  # fmt: skip
    report = answer.json()
    assert answer.status_code == 200
    assert (report["Number Deleted"], report["Number Not Found"]) == (31, 2)
    assert report["Errors"] == [["/c", "409 Conflict"]]
    assert swift.names("c") == ["left"] and swift("HEAD")["X-Account-Bytes-Used"] == "1"


def archive(mode: str, files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{mode}") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


@pytest.mark.parametrize(("kind", "mode"), [("tar", ""), ("tar.gz", "gz"), ("tar.bz2", "bz2")])
def test_archives_are_unpacked(swift: Swift, kind: str, mode: str) -> None:
    data = archive(mode, {"a.txt": b"1", "d/b": b"22", "../../e": b"3", "/f": b""})
    answer = swift("PUT", "c/in", data, query=f"extract-archive={kind}", accept="application/json")
    assert answer.json()["Number Files Created"] == 4, answer.content
    assert swift.names("c") == ["in/a.txt", "in/d/b", "in/e", "in/f"]
    assert swift("PUT", "", archive(mode, {"k/x": b"1"}), query=f"extract-archive={kind}").status_code == 200
    assert body_of(swift("GET", "k/x")) == b"1"


@pytest.mark.parametrize("data", [b"", b"no archive", b"\x1f\x8b broken"])
def test_what_is_no_archive_is_reported(swift: Swift, data: bytes) -> None:
    answer = swift("PUT", "c", data, query="extract-archive=tar.gz", accept="application/json")
    assert answer.status_code == 200 and answer.json()["Response Status"] == "400 Bad Request"
    assert swift("PUT", "c", data, query="extract-archive=zip").status_code == 400


# -- signed addresses and forms ----------------------------------------------------------------------------


def signed(
    method: str,
    path: str,
    key: str = "secret",
    *,
    digest: str = "sha256",
    expires: int = 0,
    lead: str = "",
    ip: str = "",
) -> str:
    expires = expires or int(time.time()) + 60
    message = f"{method}\n{expires}\n{lead}{path}"
    if ip:
        message = f"ip={ip}\n{message}"
    return (
        f"temp_url_sig={hmac.digest(key.encode(), message.encode(), digest).hex()}&temp_url_expires={expires}"
    )


@pytest.fixture
def keyed(swift: Swift) -> Swift:
    assert swift("POST", x_account_meta_temp_url_key="secret").status_code == 204
    assert swift("POST", "c", x_container_meta_temp_url_key_2="other").status_code == 204
    swift.put("c/o", b"12345", x_object_meta_a="1")
    return swift


@pytest.mark.parametrize("root", [ROOT, "/v1"])
@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha512"])
@pytest.mark.parametrize("key", ["secret", "other"])
def test_a_signed_address_opens_one_object(
    keyed: Swift, nobody: Swift, root: str, digest: str, key: str
) -> None:
    path = f"{root}/AUTH_{keyed.account}/c/o"
    query = signed("GET", path, key, digest=digest)
    get = nobody("GET", "c/o", query=query)
    assert body_of(get) == b"12345" and "X-Object-Meta-A" not in get
    assert get["Content-Disposition"].startswith('attachment; filename="o"')
    assert nobody("HEAD", "c/o", query=query).status_code == 200
    for method, name in (("PUT", "c/o"), ("DELETE", "c/o"), ("GET", "c/p"), ("POST", "c/o")):
        assert nobody(method, name, query=query).status_code == 401


@pytest.mark.parametrize(
    "spoil",
    [
        lambda q: q.replace("temp_url_sig=", "temp_url_sig=0"),
        lambda q: q.replace("temp_url_expires=", "temp_url_expires=9"),
        lambda q: q.partition("&")[0],
        lambda q: q.partition("&")[2],
        lambda q: q + "&temp_url_ip_range=192.0.2.0/24",
        lambda q: q + "&temp_url_prefix=",
    ],
)
def test_a_changed_signature_opens_nothing(keyed: Swift, nobody: Swift, spoil: Any) -> None:
    query = signed("GET", f"{ROOT}/AUTH_{keyed.account}/c/o")
    answer = nobody("GET", "c/o", query=spoil(query))
    assert answer.status_code == 401 and "WWW-Authenticate" in answer


def test_signatures_end_and_may_be_for_a_prefix_or_an_address(keyed: Swift, nobody: Swift) -> None:
    path = f"{ROOT}/AUTH_{keyed.account}/c/o"
    assert nobody("GET", "c/o", query=signed("GET", path, expires=int(time.time()) - 1)).status_code == 401
    query = signed("GET", path, lead="prefix:") + "&temp_url_prefix=o"
    assert nobody("GET", "c/o", query=query).status_code == 200
    assert nobody("GET", "c/p", query=query).status_code == 401
    query = signed("GET", path, ip="127.0.0.0/8") + "&temp_url_ip_range=127.0.0.0/8&filename=my.txt&inline"
    get = nobody("GET", "c/o", query=query)
    assert get.status_code == 200 and get["Content-Disposition"].startswith('inline; filename="my.txt"')


def test_a_signed_upload_takes_data_only(keyed: Swift, nobody: Swift) -> None:
    query = signed("PUT", f"{ROOT}/AUTH_{keyed.account}/c/new")
    assert nobody("PUT", "c/new", b"1", query=query, x_object_manifest="c/o").status_code == 201
    assert "X-Object-Manifest" not in keyed("HEAD", "c/new")
    assert nobody("PUT", "c/new", query=query, x_copy_from="c/o").status_code == 400
    for more in ("extract-archive=tar", "multipart-manifest=put", "bulk-delete"):
        assert nobody("PUT", "c/new", b"[]", query=f"{query}&{more}").status_code == 400
    query = signed("DELETE", f"{ROOT}/AUTH_{keyed.account}/c/o")
    assert nobody("DELETE", "c/o", query=f"{query}&multipart-manifest=delete").status_code == 400
    assert nobody("DELETE", "c/o", query=query).status_code == 204


def test_a_signed_change_shows_and_writes_nothing_else(keyed: Swift, nobody: Swift) -> None:
    keyed.put("c/secret", b"secret")
    keyed.put("c/o", b"1")
    query = signed("POST", f"{ROOT}/AUTH_{keyed.account}/c/o")
    assert nobody("POST", "c/o", query=query, x_object_manifest="c/secret").status_code == 202
    assert body_of(keyed("GET", "c/o")) == b"1"
    query = signed("PUT", f"{ROOT}/AUTH_{keyed.account}/c/o")
    assert nobody("PUT", "c/o", b"", query=f"{query}&extract-archive=tar").status_code == 400


def test_a_manifest_may_be_longer_than_a_block(swift: Swift, settings: Any) -> None:
    settings.PITHOS_BACKEND_BLOCK_SIZE = 8
    swift.put("c/s", b"a segment of several blocks")
    assert (
        swift("PUT", "c/big", manifest({"path": "/c/s"}), query="multipart-manifest=put").status_code == 201
    )
    assert body_of(swift("GET", "c/big")) == b"a segment of several blocks"


def test_an_archive_with_an_endless_header_is_refused(swift: Swift) -> None:
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 64 << 20
    answer = swift(
        "PUT", "c", header.tobuf() + bytes(4096), query="extract-archive=tar", accept="application/json"
    )
    assert answer.json()["Response Status"] == "400 Bad Request"


def test_a_signed_form_takes_files(keyed: Swift) -> None:
    path = f"{ROOT}/AUTH_{keyed.account}/c/up/"
    fields = {
        "redirect": "",
        "max_file_size": "10",
        "max_file_count": "1",
        "expires": str(int(time.time()) + 60),
    }
    message = "\n".join([path, *fields.values()])
    fields["signature"] = hmac.digest(b"secret", message.encode(), "sha256").hex()
    client = Client()

    def send(data: bytes, **changed: str) -> int:
        file = io.BytesIO(data)
        file.name = "x.txt"
        return client.post(path, {**fields, **changed, "file1": file}).status_code

    assert send(b"12345") == 201
    assert body_of(keyed("GET", "c/up/x.txt")) == b"12345"
    assert send(b"x" * 11) == 413
    assert send(b"1", max_file_size="99") == 401
    assert send(b"1", signature="") == 401


@pytest.mark.parametrize(
    "target", ["http://x.example/\nSet-Cookie: a=b", "http://[", "javascript:alert(1)", "//x.example"]
)
def test_a_signed_form_leads_to_web_addresses_only(keyed: Swift, target: str) -> None:
    path = f"{ROOT}/AUTH_{keyed.account}/c/up/"
    fields = {"redirect": target, "max_file_size": "9", "max_file_count": "1"}
    fields["expires"] = str(int(time.time()) + 60)
    message = "\n".join([path, *fields.values()])
    fields["signature"] = hmac.digest(b"secret", message.encode(), "sha256").hex()
    file = io.BytesIO(b"1")
    file.name = "x.txt"
    assert Client().post(path, {**fields, "file1": file}).status_code == 400
    assert keyed.names("c") == ["o"]


# -- an end, access lists, other sites ---------------------------------------------------------------------


def test_an_object_ends_and_is_removed(swift: Swift) -> None:
    swift.put("c/o", b"12345", x_delete_after="3600")
    head = swift("HEAD", "c/o")
    assert abs(int(head["X-Delete-At"]) - time.time() - 3600) < 30
    assert swift_objects.delete_expired() == 0
    Version.objects.filter(node__name="o").update(expires=clock.now())
    assert swift("GET", "c/o").status_code == 404 and swift("POST", "c/o").status_code == 404
    assert swift_objects.delete_expired() == 1 and swift.names("c") == []
    assert swift("HEAD")["X-Account-Bytes-Used"] == "0"
    assert swift("PUT", "c/o", b"1", x_delete_at="1").status_code == 400
    assert swift("PUT", "c/o", b"1", x_delete_after="soon").status_code == 400


def test_an_end_is_kept_by_posts_that_name_it_only(swift: Swift) -> None:
    swift.put("c/o", b"1", x_delete_after="3600")
    at = swift("HEAD", "c/o")["X-Delete-At"]
    swift("POST", "c/o", x_delete_at=at)
    assert swift("HEAD", "c/o")["X-Delete-At"] == at
    swift("POST", "c/o")
    assert "X-Delete-At" not in swift("HEAD", "c/o")


def test_a_public_container(swift: Swift, nobody: Swift, stranger: Swift) -> None:
    swift.put("c/o", b"12345")
    for other in (nobody, stranger):
        assert other("GET", "c/o").status_code == (401 if other is nobody else 403)
    assert swift("POST", "c", x_container_read=".r:*").status_code == 204
    for other in (nobody, stranger):
        assert body_of(other("GET", "c/o")) == b"12345"
        assert other("GET", "c").status_code in (401, 403)
        assert other("PUT", "c/o", b"x").status_code in (401, 403)
    assert swift("POST", "c", x_container_read=".r:*,.rlistings").status_code == 204
    assert nobody.names("c") == stranger.names("c") == ["o"]
    assert swift("POST", "c", x_remove_container_read="x").status_code == 204
    assert nobody("GET", "c/o").status_code == 401


@pytest.mark.parametrize("element", ["{bob}", "AUTH_{bob}", "{bob}:{bob}", "*:{bob}", "{bob}:*", "*:*"])
def test_access_lists_name_users(
    swift: Swift, stranger: Swift, nobody: Swift, bob: Person, element: str
) -> None:
    swift.put("c/o", b"12345")
    text = element.format(bob=bob.uuid)
    assert swift("POST", "c", x_container_write=text, x_container_read=text).status_code == 204
    assert swift("HEAD", "c")["X-Container-Write"] == text
    assert stranger.names("c") == ["o"] and body_of(stranger("GET", "c/o")) == b"12345"
    assert stranger("PUT", "c/p", b"22").status_code == 201
    assert stranger("DELETE", "c/o").status_code == 204 and swift.names("c") == ["p"]
    assert swift("HEAD")["X-Account-Bytes-Used"] == "2"
    assert nobody("GET", "c/p").status_code == nobody("PUT", "c/p", b"1").status_code == 401
    assert stranger("POST", "c", x_container_read="").status_code == 403
    assert "X-Container-Write" not in stranger("HEAD", "c")


def test_an_access_list_reaches_no_other_container(swift: Swift, stranger: Swift, bob: Person) -> None:
    """Manifests and copies must not carry a writer out of the container that was opened."""
    swift.put("private")
    swift.put("private/o", b"secret")
    swift("POST", "c", x_container_write=bob.uuid, x_container_read=bob.uuid)
    assert stranger("PUT", "c/dlo", b"", x_object_manifest="private/o").status_code == 201
    assert stranger("GET", "c/dlo").status_code == 403
    body = manifest({"path": "/private/o"})
    assert stranger("PUT", "c/slo", body, query="multipart-manifest=put").status_code == 403
    assert stranger("PUT", "c/copy", x_copy_from="/private/o").status_code == 403
    assert stranger("COPY", "c/dlo", destination="private/x").status_code == 403


def test_grants_to_users_are_not_for_nobody(swift: Swift, nobody: Swift, alice: Person) -> None:
    swift.put("c/o", b"1")
    assert alice.call("POST", "c/o", type="", x_object_sharing="read=*", query="update").status_code == 202
    assert nobody("GET", "c/o").status_code == 401


@pytest.mark.parametrize("header", ["x_container_read", "x_container_write"])
@pytest.mark.parametrize("value", [".x:*", ".r:", "a b", "x" * 2049])
def test_wrong_access_lists_are_refused(swift: Swift, header: str, value: str) -> None:
    assert swift("POST", "c", **{header: value}).status_code == 400


def test_other_sites_scripts(swift: Swift) -> None:
    swift.put("c/o", b"1")
    origin = "https://app.example"
    assert "Access-Control-Allow-Origin" not in swift("GET", "c/o", origin=origin)
    assert swift("OPTIONS", "c/o", origin=origin, access_control_request_method="PUT").status_code == 401
    assert swift("POST", "c", x_container_meta_access_control_allow_origin=origin).status_code == 204
    assert swift("GET", "c/o", origin=origin)["Access-Control-Allow-Origin"] == origin
    for verb, path, status in (("PUT", "c/o", 201), ("GET", "c", 200), ("GET", "c/none", 404)):
        answer = swift(verb, path, origin=origin)
        assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (status, origin)
    assert swift("GET", "c/\0", origin=origin).status_code == 400
    assert "Access-Control-Allow-Origin" not in swift("GET", "c/o", origin="https://evil.example")
    answer = swift("OPTIONS", "c/o", origin=origin, access_control_request_method="PUT")
    assert answer.status_code == 200 and "PUT" in answer["Access-Control-Allow-Methods"]


@pytest.mark.parametrize(
    ("error", "status"), [(SuspiciousOperation("odd"), 400), (RequestDataTooBig("big"), 413)]
)
def test_scripts_may_see_that_a_request_could_not_be_read(
    swift: Swift, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    def fail(*args: object, **values: object) -> None:
        raise error

    assert swift("POST", "c", x_container_meta_access_control_allow_origin="*").status_code == 204
    monkeypatch.setattr(swift_containers, "show_container", fail)
    answer = swift("GET", "c", origin="https://app.example")
    assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (status, "*")


@pytest.mark.parametrize(("error", "status"), [(OperationalError("gone"), 503), (ValueError("inside"), 500)])
def test_a_failure_to_mark_an_answer_for_scripts_is_a_fault(
    swift: Swift, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    def fail(*args: object) -> None:
        raise error

    monkeypatch.setattr(cors, "metadata_of_container", fail)
    answer = swift("GET", "c", origin="https://app.example")
    assert (answer.status_code, b"inside" in answer.content) == (status, False)
    assert answer["X-Trans-Id"]


def test_accounts_and_containers_have_dates_to_ask_for(swift: Swift) -> None:
    for path in ("", "c"):
        date = swift("HEAD", path)["Last-Modified"]
        for method in ("GET", "HEAD"):
            assert swift(method, path, if_modified_since=date).status_code == 304
            assert swift(method, path, if_unmodified_since="Sun, 09 Sep 2001 01:46:40 GMT").status_code == 412
            assert swift(method, path, if_modified_since="Sun, 09 Sep 2001 01:46:40 GMT").status_code < 300


def test_the_command_removes_what_has_ended(swift: Swift) -> None:
    for name in ("a", "b", "stays"):
        swift.put(f"c/{name}", b"1", x_delete_after="3600")
    Version.objects.filter(node__name__in=["a", "b"]).update(expires=clock.now())
    output = io.StringIO()
    call_command("pithos-expire", "--limit", "1", stdout=output)
    call_command("pithos-expire", stdout=output)
    assert output.getvalue().splitlines() == ["Removed 1 expired objects.", "Removed 1 expired objects."]
    assert swift.names("c") == ["stays"]
    with pytest.raises(CommandError):
        call_command("pithos-expire", "--limit", "0")
