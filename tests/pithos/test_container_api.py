"""Accounts and containers through HTTP (object-storage contract 3-5)."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.db


def test_creating_answers_201_and_again_202(maria):
    assert maria.put("new").status_code == 201
    assert maria.put("new").status_code == 202


def test_a_new_container_has_the_default_policies(maria):
    head = maria.head("docs")
    assert head.status_code == 204
    assert head["X-Container-Policy-Quota"] == "0"
    assert head["X-Container-Policy-Versioning"] == "auto"
    assert head["X-Container-Policy-Project"] == maria.uuid
    assert head["X-Container-Block-Size"] == "4194304"
    assert head["X-Container-Block-Hash"] == "sha256"
    assert head["X-Container-Object-Meta"] == ""


def test_policies_and_metadata_are_set_and_merged(maria):
    maria.put(
        "new", x_container_policy_quota="100", x_container_policy_versioning="none", x_container_meta_a="1"
    )
    maria.put("new", x_container_meta_a="", x_container_meta_b="2")
    head = maria.head("new")
    assert (head["X-Container-Policy-Quota"], head["X-Container-Policy-Versioning"]) == ("100", "none")
    assert head["X-Container-Meta-B"] == "2"
    assert "X-Container-Meta-A" not in head
    maria.post("new", type="", x_container_policy_quota="5")
    head = maria.head("new")
    assert (head["X-Container-Policy-Quota"], head["X-Container-Policy-Versioning"]) == ("5", "auto")
    assert "X-Container-Meta-B" not in head


@pytest.mark.parametrize(
    "policy",
    [{"quota": "-1"}, {"quota": "x"}, {"quota": "9" * 30}, {"versioning": "some"}, {"nonsense": "1"}],
)
def test_a_wrong_policy_is_a_bad_request(maria, policy):
    headers = {f"x_container_policy_{key}": value for key, value in policy.items()}
    assert maria.put("new", **headers).status_code == 400
    assert maria.head("new").status_code == 404
    assert maria.post("docs", type="", query="update", **headers).status_code == 400


def test_an_unknown_project_is_404_and_a_foreign_one_403(maria, nikos):
    assert maria.post("docs", type="", query="update", x_container_policy_project="none").status_code == 404
    assert maria.post("docs", type="", x_container_policy_project=nikos.uuid).status_code in (403, 404)
    assert maria.head("docs")["X-Container-Policy-Project"] == maria.uuid


def test_a_missing_container_is_404(maria):
    assert maria.head("nowhere").status_code == 404
    assert maria.get("nowhere").status_code == 404
    assert maria.post("nowhere", type="").status_code == 404
    assert maria.delete("nowhere").status_code == 404


def test_others_see_nothing_and_change_nothing(maria, nikos):
    for method in ("HEAD", "GET", "POST", "PUT", "DELETE"):
        assert nikos.call(method, "docs", account=maria.uuid, type="").status_code == 403, method
    for method in ("HEAD", "GET", "POST"):
        assert nikos.call(method, account=maria.uuid, type="").status_code == 403, method
    assert nikos.get(account="nobody").status_code == 403


def test_counts_and_keys_follow_the_objects(maria):
    maria.put("docs/a", b"12345", x_object_meta_color="blue")
    maria.put("docs/b", b"123", x_object_meta_size="big", x_object_meta_color="red")
    head = maria.head("docs")
    assert (head["X-Container-Object-Count"], head["X-Container-Bytes-Used"]) == ("2", "8")
    assert head["X-Container-Object-Meta"] == "Color,Size"
    maria.delete("docs/b")
    head = maria.head("docs")
    assert (head["X-Container-Object-Count"], head["X-Container-Bytes-Used"]) == ("1", "5")
    assert head["X-Container-Object-Meta"] == "Color"


def test_deleting_a_container(maria):
    maria.put("docs/a/b", b"x")
    maria.put("docs/c", b"y")
    assert maria.delete("docs").status_code == 409
    assert maria.delete("docs", query="until=1000000000").status_code == 204
    assert maria.names("docs") == ["a/b", "c"]
    assert maria.delete("docs", query="until=docs&delimiter=/").status_code == 204
    assert maria.names("docs") == []
    assert maria.get("docs/c", query="version=list&format=json").status_code == 200
    assert maria.delete("docs", query="until=1795335431.25").status_code == 204
    assert maria.head("docs").status_code == 404
    assert maria.usage() == 0


def test_conditional_requests_on_containers_and_accounts(maria):
    for path in ("docs", ""):
        date = maria.head(path)["Last-Modified"]
        assert maria.head(path, if_modified_since=date).status_code == 304
        assert maria.get(path, if_unmodified_since="Sun Sep  9 01:46:40 2001").status_code == 412
        assert maria.get(path, if_modified_since="Sun Sep  9 01:46:40 2001").status_code in (200, 204)


def test_the_past_of_a_container_and_an_account(maria):
    assert maria.head("docs", query="until=1000000").status_code == 404
    head = maria.head(query="until=1000000000")
    assert head.status_code == 204
    assert head["X-Account-Until-Timestamp"] == "Sun, 09 Sep 2001 01:46:40 GMT"
    assert head["X-Account-Container-Count"] == "0"
    maria.put("docs/x", b"12")
    head = maria.head("docs", query="until=4000000000")
    assert (head["X-Container-Object-Count"], head["X-Container-Bytes-Used"]) == ("1", "2")
    assert maria.names("docs", "until=4000000000.5") == ["x"]
    assert (
        maria.names("docs", "until=1000000000") == []
        if maria.head("docs", query="until=1000000000").status_code == 204
        else True
    )


def test_account_listing(maria):
    maria.put("another")
    assert maria.get().content == b"another\ndocs\n"
    assert maria.names("", "limit=1") == ["another"]
    assert maria.names("", "marker=another") == ["docs"]
    assert maria.names("", "limit=x") == ["another", "docs"]
    record = json.loads(maria.get(query="format=json").content)[1]
    assert record["x_container_policy"] == {"quota": "0", "versioning": "auto", "project": maria.uuid}
    assert record["count"] == record["bytes"] == 0
    xml = maria.get(query="format=xml").content
    assert b"<x_container_policy><key>quota</key><value>0</value>" in xml


def test_account_metadata_and_groups(maria, nikos):
    assert maria.post(type="", query="update").status_code == 202
    group = {"x_account_group_%CE%A6%CE%AF%CE%BB%CE%BF%CE%B9": nikos.uuid}
    assert maria.post(type="", query="update", x_account_meta_color="blue", **group).status_code == 202
    head = maria.head()
    assert head["X-Account-Meta-Color"] == "blue"
    assert nikos.uuid in [v for k, v in head.items() if k.lower().startswith("x-account-group-")]
    assert maria.post(type="", query="update", **{next(iter(group)): "~"}).status_code == 202
    assert not [k for k in maria.head().headers if k.lower().startswith("x-account-group-")]
    assert maria.post(type="").status_code == 202
    assert "X-Account-Meta-Color" not in maria.head()


@pytest.mark.parametrize("header", ["x_account_group_a_b", "x_account_group_a%2Db"])
def test_a_wrong_group_name_is_a_bad_request(maria, nikos, header):
    assert maria.post(type="", query="update", **{header: nikos.uuid}).status_code == 400


def test_an_unknown_group_member_is_a_bad_request(maria):
    assert maria.post(type="", query="update", x_account_group_friends="nobody").status_code == 400


def test_the_account_shows_its_quota_by_project(maria):
    maria.put("docs/x", b"12345")
    head = maria.head()
    assert head["X-Account-Bytes-Used"] == "5"
    assert head["X-Account-Policy-Quota"] == head[f"X-Account-Policy-Quota-{maria.uuid}"] == str(1 << 30)


def test_the_old_login(maria, client):
    url = "/pithos/object-store/v1"
    assert client.get(url).status_code == 400
    response = client.get(url + "/", HTTP_X_AUTH_USER=maria.uuid, HTTP_X_AUTH_KEY=maria.token)
    assert response.status_code == 204
    assert response["X-Storage-Url"] == f"http://testserver{url}/AUTH_{maria.uuid}"
    assert client.get(url, HTTP_X_AUTH_USER=maria.uuid, HTTP_X_AUTH_KEY="bad").status_code == 401
