"""Pages about published objects: a folder's contents, and what a link leads to."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from tests.pithos.conftest import Person

pytestmark = pytest.mark.db

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
FOLDER = "application/directory"


def publish(person: Person, name: str, data: bytes = b"", **options: Any) -> str:
    """Publish an object and return the path of its link."""
    assert person.put(f"docs/{name}", data, x_object_public="true", **options).status_code == 201
    return urlsplit(person.head(f"docs/{name}")["X-Object-Public"]).path


def links(answer: Any) -> list[str]:
    table = answer.content.decode().partition('data-testid="published"')[2]
    return [urlsplit(address).path for address in re.findall(r'<th scope="row"><a href="([^"]*)"', table)]


def test_a_folders_page_has_what_is_published_directly_below(client: Client, maria) -> None:
    folder = publish(maria, "dir", type=FOLDER)
    wanted = publish(maria, "dir/a", b"hello")
    deeper = publish(maria, "dir/sub", type=FOLDER)
    publish(maria, "dir/sub/b", b"hello")
    publish(maria, "dirt", b"hello")
    maria.put("docs/dir/secret", b"hello")
    maria.put("docs/dir/shared", b"hello", x_object_sharing="read=*")
    page = client.get(folder, headers=BROWSER)
    assert page.status_code == 200
    assert page["Content-Type"].startswith("text/html")
    assert links(page) == [deeper, wanted]
    assert "secret" not in page.content.decode() and "shared" not in page.content.decode()
    assert maria.uuid not in page.content.decode()
    assert "script-src 'self'" in page["Content-Security-Policy"]
    assert "sessionid" not in page.cookies
    assert len(links(client.get(deeper, headers=BROWSER))) == 1


def test_a_withdrawn_link_leaves_the_page(client: Client, maria) -> None:
    folder = publish(maria, "dir/", type="application/folder; charset=utf-8")
    publish(maria, "dir/a", b"hello")
    maria.post("docs/dir/a", type="", query="update", x_object_public="false")
    page = client.get(folder, headers=BROWSER)
    assert links(page) == []
    assert "Nothing in this folder is published" in page.content.decode()
    greek = client.get(folder, headers=BROWSER | {"Accept-Language": "el"})
    assert "δεν έχει δημοσιευθεί" in greek.content.decode()


def test_programs_get_the_folder_object_itself(client: Client, maria) -> None:
    folder = publish(maria, "dir", type=FOLDER)
    answer = client.get(folder, headers={"Accept": "*/*"})
    assert (answer.status_code, answer["Content-Type"], answer["Content-Length"]) == (200, FOLDER, "0")
    assert client.head(folder, headers=BROWSER)["Content-Type"] == FOLDER


def test_a_files_page_is_asked_for(client: Client, maria) -> None:
    name = "a/<b>é.txt"
    link = publish(maria, name.replace("é", "%C3%A9").replace("%C3%A9", "é"), b"hello", type="text/plain")
    page = client.get(f"{link}?preview=1", headers=BROWSER).content.decode()
    assert "<bdi>&lt;b&gt;é.txt</bdi>" in page
    assert f'href="{link}?disposition-type=attachment"' in page
    assert maria.uuid not in page
    assert client.get(link, headers=BROWSER)["Content-Type"] == "text/plain"
    assert client.get("/pithos/public/nothing?preview=1", headers=BROWSER).status_code == 404


def test_names_cannot_break_the_page(client: Client, maria) -> None:
    folder = publish(maria, "dir", type=FOLDER)
    publish(maria, 'dir/"><img src=x onerror=alert(1)>', b"hello")
    publish(maria, "dir/x\u202egpj.exe", b"hello")
    page = client.get(folder, headers=BROWSER).content.decode()
    assert "<img src=x" not in page
    assert len(links(client.get(folder, headers=BROWSER))) == 2


def test_the_page_costs_the_same_however_many_files(
    client: Client, maria, django_assert_max_num_queries
) -> None:
    folder = publish(maria, "dir", type=FOLDER)
    publish(maria, "dir/0", b"x")
    client.get(folder, headers=BROWSER)
    with django_assert_max_num_queries(20) as few:
        client.get(folder, headers=BROWSER)
    queries = len(few)
    for number in range(1, 6):
        publish(maria, f"dir/{number}", b"x")
    with django_assert_max_num_queries(queries):
        client.get(folder, headers=BROWSER)
