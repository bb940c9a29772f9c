import pytest

from tests.pithos.conftest import body_of

pytestmark = pytest.mark.db


def test_all(maria, nikos, small_blocks):
    r = maria.head()
    print(r.status_code, r.headers)
    assert r.status_code == 204
    r = maria.put("docs/a/hello", b"hello world, long")
    print(r.status_code, r.content, r.headers)
    assert r.status_code == 201
    assert maria.usage() == 17
    r = maria.head("docs/a/hello")
    print(r.headers)
    assert r.status_code == 200
    assert maria.read("docs/a/hello") == b"hello world, long"
    r = maria.get("docs/a/hello", range="bytes=2-4")
    assert r.status_code == 206
    assert body_of(r) == b"llo"
    r = maria.get("docs/a/hello", query="hashmap")
    print(r.content)
    r = maria.put_hashmap("docs/b", b"hello world, lonx", 8)
    print(r.content)
    assert r.status_code == 409
    r = maria.post("docs", b"x", query="update&format=json")
    print(r.content)
    assert r.status_code == 202
    r = maria.put_hashmap("docs/b", b"hello wox", 8)
    print(r.content)
    assert r.status_code == 201
    for q in (
        "",
        "format=json",
        "format=xml",
        "delimiter=/&format=json",
        "prefix=a&delimiter=/&format=json",
        "path=/",
    ):
        r = maria.get("docs", query=q)
        print(r.status_code, r.content, r.headers)
    r = maria.get("", query="format=json")
    print(r.content)
    r = maria.call("COPY", "docs/a/hello", type="", destination="/docs/c")
    print(r.content)
    assert r.status_code == 201
    assert maria.read("docs/c") == b"hello world, long"
    r = maria.call("MOVE", "docs/c", type="", destination="/docs/d")
    print(r.content)
    assert r.status_code == 201
    assert maria.get("docs/c").status_code == 404
    r = maria.post("docs/d", b" more", content_range="bytes */*")
    assert r.status_code == 204, r.content
    assert maria.read("docs/d") == b"hello world, long more"
    assert nikos.get("docs/d", account=maria.uuid).status_code == 403
    r = maria.post("docs/d", query="update", x_object_sharing="read=*", x_object_public="true", type="")
    assert r.status_code == 202, r.content
    assert nikos.read("docs/d", account=maria.uuid) == b"hello world, long more"
    r = maria.head("docs/d")
    print(r.headers)
    u = r["X-Object-Public"]
    r = maria.client.get(u.replace("http://testserver", ""))
    assert body_of(r) == b"hello world, long more"
    print(r.headers)
    r = nikos.get("docs", account=maria.uuid, query="format=json")
    print(r.content)
    r = nikos.client.get("/pithos/object-store/v1", HTTP_X_AUTH_TOKEN=nikos.token)
    print(r.content)
    r = maria.delete("docs/d")
    assert r.status_code == 204
    r = maria.delete("docs")
    assert r.status_code == 409
    r = maria.delete("docs", query="delimiter=/")
    assert r.status_code == 204
    assert maria.usage() == 0
    r = maria.delete("docs")
    assert r.status_code == 204, r.content
