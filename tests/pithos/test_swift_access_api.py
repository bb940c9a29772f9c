"""Swift's dialect: what referrers and signatures open, how much metadata is kept, what copies carry over."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pithos.logic.acl import parse_acl
from pithos.models import ContainerPolicy, Version
from synnefo import clock
from synnefo.errors import BadRequest
from tests.pithos.conftest import Person, body_of
from tests.pithos.test_swift_api import Swift, manifest, md5, signed

pytestmark = [pytest.mark.db, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def blocks(kept_blocks: Path) -> Path:
    return kept_blocks


@pytest.fixture(scope="module")
def swift(kept_people: list[Person], kept_blocks: Path) -> Swift:
    """An account with a container."""
    found = Swift(kept_people[0])
    found.put("c")
    return found


REFERRERS = [
    (".r:*.example.com", "http://www.example.com/a", 200),
    (".r:*.example.com", "http://example.com/a", 401),
    (".r:example.com", "https://example.com:8080/", 200),
    (".r:.example.com", "http://EXAMPLE.com.bad/", 401),
    (".r:*,.r:-bad.example.com", "http://bad.example.com/", 401),
    (".r:*,.r:-*.example.com", "http://x.example.com/", 401),
    (".r:*,.r:-bad.example.com", "http://good.example.com/", 200),
    (".r:*,.r:-bad.example.com", "", 200),
    (".r:-bad.example.com,.r:*", "http://bad.example.com/", 200),
    (".r:-bad.example.com", "http://good.example.com/", 401),
    (".r:example.com", "http://[", 401),
    (".r:example.com", "", 401),
]


def test_referrers_let_in_by_what_they_say(swift: Swift) -> None:
    swift.put("c/o")
    nobody = Swift(swift.person, token="")
    for lists, page, status in REFERRERS:
        kept = parse_acl(lists, for_reading=True)
        ContainerPolicy.objects.filter(node__parent__name=swift.account).update(read_acl=kept)
        answer = nobody("GET", "c/o", **({"referer": page} if page else {}))
        assert answer.status_code == status, (lists, page)
    assert nobody("GET", "c", referer="http://good.example.com/").status_code == 401


def test_referrers_let_in_users_too_and_may_list(swift: Swift, kept_people: list[Person]) -> None:
    swift.put("c/o")
    swift("POST", "c", x_container_read=".r:*.example.com,.rlistings")
    assert swift("HEAD", "c")["X-Container-Read"] == ".r:.example.com,.rlistings"
    bob = Swift(kept_people[1], swift.account)
    assert bob("GET", "c/o").status_code == bob("GET", "c").status_code == 403
    page = {"referer": "http://www.example.com/"}
    assert bob("GET", "c/o", **page).status_code == bob("GET", "c", **page).status_code == 200
    assert bob("PUT", "c/o", b"x", **page).status_code == 403


def test_a_referrer_without_a_name_is_refused() -> None:
    for element in (".r:", ".r:-", ".r:*.", ".r:."):
        with pytest.raises(BadRequest):
            parse_acl(element, for_reading=True)


def test_swifts_clients_may_keep_ninety_items(swift: Swift) -> None:
    items = {f"x_object_meta_k{number}": "v" for number in range(90)}
    swift.put("c/o", **items)
    assert swift("POST", "c/o", **items).status_code == 202
    assert swift("COPY", "c/o", destination="c/p").status_code == 201
    assert sum(name.startswith("X-Object-Meta-") for name in swift("HEAD", "c/p").headers) == 90
    assert swift("POST", "c/o", **items, x_object_meta_more="v").status_code == 400
    assert swift("COPY", "c/o", destination="c/p", x_object_meta_more="v").status_code == 400
    assert (
        swift.person.call("POST", "c/o", query="update", type="x/y", x_object_meta_more="v").status_code
        == 400
    )
    assert swift.person.call("COPY", "c/o", destination="/c/q").status_code == 201


@pytest.mark.parametrize(("path", "level"), [("", "Account"), ("c", "Container"), ("c/o", "Object")])
def test_all_metadata_together_have_a_size(swift: Swift, path: str, level: str) -> None:
    swift.put("c/o")
    items = {f"x_{level.lower()}_meta_k{number:02d}": "v" * 253 for number in range(16)}
    assert swift("POST", path, **items).status_code in (202, 204)
    assert swift("POST", path, **items, **{f"x_{level.lower()}_meta_x": "v"}).status_code == 400


def test_a_manifest_may_name_a_long_beginning(swift: Swift) -> None:
    prefix = "p" * 1000
    swift.put(f"c/{prefix}1", b"one")
    swift.put("c/big", b"", x_object_manifest=f"c/{prefix}")
    assert body_of(swift("GET", "c/big")) == b"one"
    assert swift("PUT", "c/big", x_object_manifest="c/" + "p" * 1300).status_code == 400


def test_copies_end_when_their_source_does(swift: Swift) -> None:
    end = str(int(time.time()) + 1000)
    swift.put("c/o", x_delete_at=end)
    swift("COPY", "c/o", destination="c/kept")
    assert swift("HEAD", "c/kept")["X-Delete-At"] == end
    swift("COPY", "c/o", destination="c/other", x_delete_at=str(int(end) + 5))
    assert swift("HEAD", "c/other")["X-Delete-At"] == str(int(end) + 5)
    swift("COPY", "c/o", destination="c/fresh", x_fresh_metadata="true")
    assert "X-Delete-At" not in swift("HEAD", "c/fresh")
    swift.put("c/list", manifest({"path": "/c/o"}), query="multipart-manifest=put", x_delete_at=end)
    swift("COPY", "c/list", destination="c/flat")
    assert swift("HEAD", "c/flat")["X-Delete-At"] == end


def test_conditions_of_a_copy_are_about_the_source(swift: Swift) -> None:
    swift.put("c/o", b"data")
    for header, statuses in (("if_match", (201, 412)), ("if_none_match", (412, 201))):
        for etag, status in zip((md5(b"data"), md5(b"else")), statuses, strict=True):
            answer = swift("COPY", "c/o", destination="c/p", **{header: etag})
            assert answer.status_code == status


def test_a_range_is_copied(swift: Swift) -> None:
    swift.put("c/o", b"0123456789", x_object_meta_a="1")
    assert swift("PUT", "c/p", x_copy_from="/c/o", range="bytes=2-4").status_code == 201
    assert body_of(swift("GET", "c/p")) == b"234" and swift("HEAD", "c/p")["X-Object-Meta-A"] == "1"
    assert swift("PUT", "c/p", x_copy_from="/c/o", range="bytes=0-1,3-4").status_code == 400
    assert swift("PUT", "c/p", x_copy_from="/c/o", range="bytes=10-").status_code == 416


def test_a_large_objects_tag_is_compared_with_and_without_quotes(swift: Swift) -> None:
    swift.put("c/s", b"data")
    put = swift.put("c/big", manifest({"path": "/c/s"}), query="multipart-manifest=put")
    for tag in (put["ETag"], put["ETag"].strip('"')):
        assert swift("GET", "c/big", if_none_match=tag).status_code == 304
        assert swift("GET", "c/big", if_match=tag, range="bytes=0-1").status_code == 206
        assert swift("GET", "c/big", if_range=tag, range="bytes=0-1").status_code == 206


def test_several_ranges_have_a_length(swift: Swift) -> None:
    swift.put("c/o", b"0123456789", type="text/x-a")
    answer = swift("GET", "c/o", range="bytes=0-1,5-6,-1")
    assert answer.status_code == 206 and int(answer["Content-Length"]) == len(body_of(answer))


def test_large_objects_of_a_public_container_are_public(swift: Swift) -> None:
    swift("POST", "c", x_container_read=".r:*")
    swift.put("c/s1", b"one")
    swift.put("c/dynamic", b"", x_object_manifest="c/s")
    swift.put("c/listed", manifest({"path": "/c/s1"}), query="multipart-manifest=put")
    nobody = Swift(swift.person, token="")
    for name in ("dynamic", "listed"):
        assert body_of(nobody("GET", f"c/{name}")) == b"one"
    swift("POST", "c", x_container_read="*:*")
    swift.person.call("POST", "c/dynamic", query="update", type="x/y", x_object_public="true")
    public = swift.person.head("c/dynamic")["X-Object-Public"].partition("/pithos")[2]
    assert swift.client.get(f"/pithos{public}").status_code == 404


def test_a_signed_address_opens_no_history_and_no_other_name(swift: Swift) -> None:
    swift("POST", "", x_account_meta_temp_url_key="secret")
    version = swift.put("c/o", b"old")["X-Object-Version-Id"]
    swift.put("c/o", b"new", x_object_meta_a="private")
    nobody = Swift(swift.person, token="")
    query = signed("GET", f"/v1/AUTH_{swift.account}/c/o")
    head = nobody("HEAD", "c/o", query=query)
    assert head.status_code == 200 and "X-Object-Meta-A" not in head and "X-Object-Version-Id" not in head
    assert nobody("GET", "c/o", query=f"{query}&version-id={version}").status_code == 400
    assert nobody("GET", "c/p", query=query).status_code == 401


def test_conditions_of_a_write_are_about_md5s(swift: Swift) -> None:
    swift.put("c/tags", b"one")
    assert swift("PUT", "c/tags", b"two", if_match=md5(b"other")).status_code == 412
    assert swift("PUT", "c/tags", b"two", if_none_match=md5(b"one")).status_code == 412
    assert swift("PUT", "c/tags", b"two", if_match=md5(b"one")).status_code == 201
    more = {"content_range": "bytes */*"}
    assert swift("POST", "c/tags", b"!", if_match=md5(b"one"), **more).status_code == 412
    assert swift("POST", "c/tags", b"!", if_match=md5(b"two"), **more).status_code == 204
    assert swift("GET", "c/tags").getvalue() == b"two!"


def test_a_part_is_taken_from_another_object(swift: Swift) -> None:
    swift.put("c/from", b"12345")
    swift.put("c/to", b"abc")
    answer = swift("POST", "c/to", x_source_object="c/from", content_range="bytes 1-2/*")
    assert answer.status_code == 204 and swift("GET", "c/to").getvalue() == b"a12"
    assert swift("POST", "c/to", x_source_object="c/from").status_code == 400


def test_a_large_object_is_not_changed_in_parts(swift: Swift) -> None:
    swift.put("c/part", b"12345")
    swift.put("c/large", manifest({"path": "/c/part"}), query="multipart-manifest=put")
    assert swift("POST", "c/large", b"!", content_range="bytes */*").status_code == 400
    assert swift("GET", "c/large").getvalue() == b"12345"


def test_what_has_ended_is_nowhere(swift: Swift) -> None:
    person = swift.person
    swift.put("c/end-1", b"12345", x_delete_after="3600")
    person.post("c/end-1", type="text/plain", query="update", x_object_public="true")
    swift.put("c/all", b"", x_object_manifest="c/end-")
    head = person.head("c/end-1")
    link, version = head["X-Object-Public"].partition("/pithos/")[2], head["X-Object-Version"]
    assert body_of(person.client.get(f"/pithos/{link}")) == b"12345"
    Version.objects.filter(node__name="end-1").update(expires=clock.now())
    assert person.client.get(f"/pithos/{link}").status_code == 404
    assert swift("GET", "c/all").getvalue() == b""
    assert person.get("c/end-1", query=f"version={version}").status_code == 404
    assert person.post("c/end-1", type="text/plain", x_object_meta_a="1").status_code == 404
    assert swift("PUT", "c/end-1", b"new", if_none_match="*").status_code == 201


def test_folders_of_containers_are_paged(swift: Swift) -> None:
    for name in ("f-1", "f-2", "g"):
        swift.put(name)
    pages, marker = [], "e"
    while page := swift("GET", query=f"format=json&delimiter=-&limit=1&marker={marker}").json():
        marker = page[0].get("name") or page[0]["subdir"]
        pages.append(marker)
    assert pages == ["f-", "g"]


def test_who_sees_a_part_of_a_container_learns_no_sums(swift: Swift, kept_people: list[Person]) -> None:
    other = Swift(kept_people[1], swift.account)
    swift.put("mixed")
    swift.put("mixed/own", b"secret")
    swift.put("mixed/shared", b"1")
    swift.person.post("mixed/shared", type="text/plain", query="update", x_object_sharing="read=*")
    assert "X-Container-Object-Count" not in other("HEAD", "mixed").headers
    swift("POST", "mixed", x_container_read="*:*")
    assert other("HEAD", "mixed")["X-Container-Object-Count"] == "2"


def test_an_object_is_moved(swift: Swift, kept_people: list[Person]) -> None:
    swift.put("c/before", b"12345", x_object_meta_a="1")
    for headers, status in (
        ({}, 400),
        ({"destination": "none/after"}, 404),
        ({"destination": "c/after", "if_match": md5(b"other")}, 412),
    ):
        assert swift("MOVE", "c/before", **headers).status_code == status
    assert Swift(kept_people[1], swift.account)("MOVE", "c/before", destination="c/x").status_code == 403
    answer = swift("MOVE", "c/before", destination="c/after", if_match=md5(b"12345"))
    assert answer.status_code == 201 and answer["ETag"] == md5(b"12345")
    assert swift("HEAD", "c/after")["X-Object-Meta-A"] == "1"
    assert swift("GET", "c/before").status_code == 404


def test_a_type_is_found_by_the_name_where_asked(swift: Swift) -> None:
    swift.put("c/page.html", type="text/plain", x_detect_content_type="true", x_newest="true")
    assert swift("HEAD", "c/page.html")["Content-Type"] == "text/html"


def test_a_file_that_a_browser_opens_by_the_api_cannot_act_as_a_page(swift: Swift) -> None:
    swift("POST", "c", x_container_read=".r:*")
    swift.put("c/page.svg", b"<svg/>", type="image/svg+xml")
    person, nobody = swift.person, Swift(swift.person, token="")
    link = f"/pithos/object-store/v1/{person.uuid}/c/page.svg?X-Auth-Token={person.token}"
    for answer in (
        nobody("GET", "c/page.svg"),
        person.client.get(link),
        person.client.get(f"{link}&hashmap"),
    ):
        assert answer.status_code == 200
        assert "default-src 'none'" in answer["Content-Security-Policy"]
        assert "; sandbox;" in answer["Content-Security-Policy"]
        assert answer["X-Content-Type-Options"] == "nosniff"


def test_a_browser_that_asks_about_what_cannot_be_is_refused(swift: Swift) -> None:
    asked = {"origin": "http://x.org", "access_control_request_method": "PUT"}
    assert swift("OPTIONS", "c\0", **asked).status_code == 401
    assert swift("GET", "c\0", origin="http://x.org").status_code == 400


def test_headers_that_a_container_opens_are_sent_in_ascii(swift: Swift) -> None:
    lead = "x_container_meta_access_control"
    swift("POST", "c", **{f"{lead}_allow_origin": "*", f"{lead}_expose_headers": "X-%01%C3%A9"})
    exposed = swift("GET", "c", origin="http://x.org")["Access-Control-Expose-Headers"]
    assert exposed.endswith(", X-%01%C3%A9")
