"""Search, notifications, tasks and events of the shell (web contract 4.1, 7): what is shown, and to whom."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.template.loader import render_to_string
from django.test import Client

from astakos import public as astakos
from astakos.models import ApprovalTerms, EmailChange, Project, Resource, User
from astakos.web import navigation
from branding import activity, facts, notification_texts, search
from cyclades.logic import servers
from cyclades.models import (
    Backend,
    Flavor,
    IntentState,
    JobIntent,
    PublicKeyPair,
    Server,
    ServerState,
    Volume,
    VolumeType,
)
from pithos.logic import search as pithos_search
from pithos.models import Node, Version
from synnefo import clock, notifications
from synnefo.credentials import Credentials
from synnefo.errors import ServiceUnavailable
from synnefo.models import Notification
from tests.page_checks import Page, problems_of

pytestmark = [pytest.mark.db, pytest.mark.django_db]

PART = {"HX-Request": "true"}
EVENTS = "/_ui/events?topics=servers,volumes,networks,ips"


@dataclass
class World:
    """Two users with the same kinds of things, each called ``alpha`` something."""

    maria: str
    nikos: str
    server: Server


def _things(user: str, flavor: Flavor, backend: Backend, name: str) -> Server:
    server = Server.objects.create(
        name=f"alpha {name}", userid=user, project=user, flavor=flavor, backend=backend, imageid="x",
        operstate=ServerState.STARTED,
    )  # fmt: skip
    Volume.objects.create(
        name=f"alpha {name}", userid=user, project=user, size=7, volume_type=flavor.volume_type,
        machine=server, index=0, status="IN_USE",
    )  # fmt: skip
    PublicKeyPair.objects.create(user=user, name=f"alpha {name}", content="c", fingerprint="f")
    account = Node.objects.create(parent=None, name=user)
    container = Node.objects.create(parent=account, name=f"alpha {name}")
    for title in (f"alpha {name}.txt", f"deep/in/alpha {name}.txt"):
        node = Node.objects.create(parent=container, name=title)
        Version.objects.create(node=node, mtime=clock.now(), muser=user, uuid=f"{node.pk}", size=2048)
    return server


@pytest.fixture(scope="module")
def world(kept: None) -> Iterator[World]:
    maria = astakos.create_user(email="maria@x.example", password="p", first_name="M", last_name="D").uuid
    nikos = astakos.create_user(email="nikos@x.example", password="p", first_name="N", last_name="D").uuid
    kind = VolumeType.objects.create(name="drbd", disk_template="drbd")
    flavor = Flavor.objects.create(cpu=1, ram=1024, disk=10, volume_type=kind)
    backend = Backend.objects.create(
        clustername="c.example", port=5080, username="u", password_hash="", updated=clock.now()
    )
    server = _things(maria, flavor, backend, "mine")
    _things(nikos, flavor, backend, "theirs")
    yield World(maria, nikos, server)


def browser_of(uuid: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(uuid=uuid), backend="astakos.web.backend.SessionUserBackend")
    return client


@pytest.fixture
def browser(world: World) -> Client:
    return browser_of(world.maria)


# -- who ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["search?q=alpha", "notifications", "shortcuts", "events"])
def test_a_script_without_a_session_is_told_so(world, client, name):
    answer = client.get(f"/_ui/{name}", headers=PART)
    assert (answer.status_code, answer["HX-Trigger"]) == (401, "session-expired")


@pytest.mark.parametrize("name", ["search?q=alpha", "notifications", "events"])
def test_a_script_of_who_has_to_sign_the_terms_gets_403(world, browser, name):
    ApprovalTerms.objects.create(date=clock.now(), location="/x", text="<p>Be nice</p>")
    User.objects.update(has_signed_terms=False)
    assert browser.get(f"/_ui/{name}", headers=PART).status_code == 403


# -- search ---------------------------------------------------------------------------------------------


def test_the_search_finds_every_kind_of_ones_own_things_and_nothing_of_others(browser):
    answer = browser.get("/_ui/search", {"q": "alpha"})
    text = Page(answer.content.decode()).text
    assert problems_of(answer.content.decode()) == []
    for group in ("server", "volume", "key", "container", "object"):
        assert f'data-testid="group-{group}"' in answer.content.decode(), group
    assert "alpha mine" in text and "theirs" not in text


def test_the_box_has_options_that_open_or_copy(browser, world):
    answer = browser.get("/_ui/search", {"q": "ALPHA"}, headers=PART)
    options = [found for _, found in Page(answer.content.decode()).elements if found.get("role") == "option"]
    assert f"/pithos/ui/view/{world.maria}/alpha%20mine/alpha%20mine.txt" in [
        o.get("data-url") for o in options
    ]
    assert str(world.server.pk) in [option.get("data-copy-text") for option in options]
    assert "<main" not in answer.content.decode() and "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize("text", ["vm-{}", "vm{}", "snf-{}"])
def test_a_machine_is_found_by_what_operators_call_it(browser, world, text):
    answer = browser.get("/_ui/search", {"q": text.format(world.server.pk)})
    assert "alpha mine" in answer.content.decode()


def test_a_page_is_found_by_its_name(browser):
    assert 'href="/astakos/ui/resources"' in browser.get("/_ui/search", {"q": "usag"}).content.decode()


def test_a_page_is_found_without_its_accents(browser):
    answer = browser.get("/_ui/search", {"q": "προφιλ"}, headers={"Accept-Language": "el"})
    assert 'href="/astakos/ui/profile"' in answer.content.decode()


def test_an_owner_finds_a_private_project_and_others_do_not(world):
    maria = User.objects.get(uuid=world.maria)
    Project.objects.create(
        realname="alpha.lab", owner=maria, private=True, state=1, member_join_policy=2, member_leave_policy=1,
        creation_date=clock.now(), end_date=clock.now(), limit_on_members_number=5,
    )  # fmt: skip
    assert "alpha.lab" in browser_of(world.maria).get("/_ui/search?q=alpha.l").content.decode()
    assert 'group-project"' not in browser_of(world.nikos).get("/_ui/search?q=alpha.l").content.decode()


def test_one_letter_finds_nothing_and_asks_for_more(browser):
    assert "Type at least 2" in browser.get("/_ui/search?q=a").content.decode()


def test_a_search_without_a_match_says_so(browser):
    assert 'data-testid="empty"' in browser.get("/_ui/search?q=zzzzz").content.decode()


@pytest.mark.parametrize("text", ["x" * 101, "nul\0in it"])
def test_a_text_nobody_typed_is_refused(browser, text):
    assert browser.get("/_ui/search", {"q": text}).status_code == 400


def test_no_text_breaks_the_search(browser):
    for text in ("%%", "__", "'';--", "ω" * 50, "1" * 99, "\ud800a", "2001:db8::", "<b>x"):
        query = "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))
        answer = browser.get(f"/_ui/search?q={query}")
        assert answer.status_code in (200, 400), text
        assert "<b>x" not in answer.content.decode()


def test_more_things_cost_no_more_queries(browser, world, django_assert_max_num_queries):
    Server.objects.bulk_create(
        Server(
            name=f"alpha {n}",
            userid=world.maria,
            project=world.maria,
            flavor=world.server.flavor,
            imageid="x",
        )
        for n in range(60)
    )
    with django_assert_max_num_queries(17):
        answer = browser.get("/_ui/search?q=alpha")
    assert "There are more" in answer.content.decode()


def test_a_service_that_does_not_answer_leaves_the_others_alone(browser, monkeypatch):
    def fails(credentials: Credentials, text: str, limit: int) -> list[search.Hit]:
        raise ServiceUnavailable("down")

    monkeypatch.setattr(search, "_kinds", [*search._kinds, search.Kind("other", 9, "Other", "cloud", fails)])
    text = browser.get("/_ui/search?q=alpha").content.decode()
    assert "unavailable now" in text and 'data-testid="group-server"' in text


def test_objects_are_found_at_their_beginning_before_their_middle(world):
    found = pithos_search.objects(Credentials(user_id=world.maria), text="alpha m", limit=5)
    assert [match.name for match in found] == ["alpha mine.txt", "deep/in/alpha mine.txt"]


# -- notifications --------------------------------------------------------------------------------------


def tell(world: World, count: int = 1) -> None:
    for n in range(count):
        notifications.tell([world.maria], "membership.accepted", "project:" + world.maria, project=f"p{n}")


def test_notifications_are_shown_to_whom_they_were_told(world, browser):
    tell(world)
    page = browser.get("/_ui/notifications").content.decode()
    assert problems_of(page) == [] and "You are a member of p0 now." in page
    assert "p0" not in browser_of(world.nikos).get("/_ui/notifications").content.decode()


def test_they_are_read_in_the_readers_language(world, browser):
    tell(world)
    page = browser.get("/_ui/notifications", headers={"Accept-Language": "el"}).content.decode()
    assert "You are a member" not in page and "p0" in page


def test_older_ones_are_on_the_next_page(world, browser):
    tell(world, notifications.PAGE + 1)
    first = browser.get("/_ui/notifications").content.decode()
    before = Notification.objects.filter(user=world.maria).order_by("pk")[1].pk
    assert "member of p0 now" not in first and f"?before={before}" in first
    assert "member of p0 now" in browser.get(f"/_ui/notifications?before={before}").content.decode()


def test_marking_as_read_leaves_what_came_later_unread(world, browser):
    tell(world, 2)
    first = Notification.objects.filter(user=world.maria).order_by("pk").first()
    assert browser.post("/_ui/notifications/read", {"up_to": first.pk}).status_code == 303
    assert notifications.unread_count(Credentials(user_id=world.maria)) == 1


def test_the_way_back_from_the_login_page_leads_to_the_list(world, browser):
    answer = Client().post("/_ui/notifications/read", {"up_to": 1})
    assert answer["Location"].endswith("next=%2F_ui%2Fnotifications%2Fread")
    assert browser.get("/_ui/notifications/read")["Location"] == "/_ui/notifications"


def test_nobody_marks_anothers_as_read(world):
    tell(world)
    last = Notification.objects.latest("pk").pk
    answer = browser_of(world.nikos).post("/_ui/notifications/read", {"up_to": last}, headers=PART)
    assert answer.json() == {"unread": 0}
    assert notifications.unread_count(Credentials(user_id=world.maria)) == 1


@pytest.mark.parametrize("text", ["", "x", "-1", "9" * 30])
def test_a_number_nobody_was_given_is_refused(browser, text):
    assert browser.post("/_ui/notifications/read", {"up_to": text}).status_code == 400


def test_old_notifications_are_deleted(world, settings):
    tell(world, 3)
    Notification.objects.update(created=clock.now() - dt.timedelta(days=settings.UI_NOTIFICATIONS_DAYS + 1))
    tell(world)
    assert notifications.delete_old() == 3
    assert Notification.objects.count() == 1


def test_a_kind_of_another_release_is_shown_all_the_same(world, browser):
    notifications.tell([world.maria], "moon.landed", "moon:1")
    notifications.tell([world.maria], "membership.accepted", "project:" + world.maria)
    page = browser.get("/_ui/notifications").content.decode()
    assert "moon:1" in page and "member of – now" in page


def test_every_kind_leads_somewhere_or_nowhere(world):
    note = notifications.Note(1, "", f"project:{world.maria}", {"application": 5}, clock.now(), False)
    for kind in notification_texts.kinds().values():
        assert kind.address(note)[:1] in ("", "/")


# -- tasks and events -----------------------------------------------------------------------------------


def start(server: Server) -> JobIntent:
    Server.objects.filter(pk=server.pk).update(task="BUILD", buildpercentage=39)
    return JobIntent.objects.create(
        request_id="r1", server=server, backend=server.backend, operation="BUILD", state=IntentState.SUBMITTED
    )


def test_what_is_under_way_is_shown_with_its_progress(world, browser):
    start(world.server)
    page = browser.get("/_ui/notifications").content.decode()
    assert "Building alpha mine" in page and 'value="39"' in page
    assert "alpha mine" not in browser_of(world.nikos).get("/_ui/notifications").content.decode()


def test_a_task_that_takes_long_is_said_to(world, browser):
    intent = start(world.server)
    JobIntent.objects.filter(pk=intent.pk).update(created=clock.now() - activity.SLOW * 2)
    assert "longer than usual" in browser.get("/_ui/notifications").content.decode()


def test_the_first_question_is_answered_with_counts_and_a_cursor(world, browser):
    tell(world)
    start(world.server)
    answer = browser.get(EVENTS).json()
    assert (answer["unread"], answer["tasks"], answer["changes"], answer["reset"]) == (1, 1, [], False)
    assert dt.datetime.fromisoformat(answer["cursor"]).tzinfo is not None


def touched() -> str:
    """Change everybody's servers, and return a cursor from before that."""
    Server.objects.update(updated=clock.now())
    return clock.isoformat(clock.now() - dt.timedelta(minutes=5))


def test_a_change_of_ones_own_is_told_and_anothers_is_not(world, browser):
    since = touched()
    answer = browser.get(EVENTS, {"topics": "servers", "since": since}).json()
    assert [(change["kind"], change["id"]) for change in answer["changes"]] == [
        ("server", str(world.server.pk))
    ]
    assert set(answer["changes"][0]) == {"kind", "id", "updated"}


def test_news_of_a_project_is_a_change_of_it(world, browser):
    tell(world)
    since = clock.isoformat(clock.now() - dt.timedelta(minutes=5))
    answer = browser.get(EVENTS, {"topics": "projects", "since": since}).json()
    assert [(change["kind"], change["id"]) for change in answer["changes"]] == [("project", world.maria)]


def test_the_owner_hears_that_his_machine_was_suspended(world):
    servers.set_suspended(Credentials.administrator(), server_id=world.server.pk, suspended=True)
    servers.set_suspended(Credentials.administrator(), server_id=world.server.pk, suspended=False)
    told = Notification.objects.filter(user=world.maria).order_by("pk").values_list("kind", flat=True)
    assert list(told) == ["server.suspended", "server.released"]


def test_nothing_new_is_304_until_something_is(world, browser):
    first = browser.get(EVENTS)
    again = browser.get(EVENTS, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    tell(world)
    assert browser.get(EVENTS, headers={"If-None-Match": first["ETag"]}).status_code == 200


def test_who_was_away_for_long_reads_everything_again(browser):
    assert browser.get("/_ui/events?since=2020-01-01T00:00:00Z").json()["reset"] is True


@pytest.mark.parametrize("query", ["since=yesterday", "topics=" + "a" * 50, "topics=../x"])
def test_a_question_nobody_asks_is_refused(browser, query):
    assert browser.get(f"/_ui/events?{query}").status_code == 400


def test_an_unknown_topic_brings_nothing(browser):
    assert (
        browser.get("/_ui/events?topics=moons&since=" + clock.now().strftime("%Y-%m-%dT%H:%MZ")).status_code
        == 200
    )


def test_as_a_stream_of_events_the_answer_ends_and_says_when_to_ask_again(world, browser):
    headers = {"Accept": "text/event-stream", "Last-Event-ID": touched()}
    answer = browser.get("/_ui/events?topics=servers", headers=headers)
    blocks = answer.content.decode().strip().split("\n\n")
    assert answer["Content-Type"].startswith("text/event-stream")
    assert blocks[0].startswith("retry: 5000\nid: ") and "event: state" in blocks[0]
    assert "event: server" in blocks[1]
    assert json.loads(blocks[1].split("data: ")[1]).keys() == {"id", "updated"}


def test_a_question_costs_few_queries(browser, django_assert_max_num_queries):
    browser.get(EVENTS)
    with django_assert_max_num_queries(6):
        browser.get("/_ui/events")


# -- shortcuts and the shell ----------------------------------------------------------------------------


def test_single_keys_can_be_turned_off_and_stay_off(world, browser):
    assert 'data-shortcuts="on"' in browser.get("/_ui/shortcuts").content.decode()
    browser.post("/_ui/prefs", {"shortcuts": "off"})
    assert User.objects.get(uuid=world.maria).preferences["shortcuts"] == "off"
    page = browser_of(world.maria).get("/_ui/shortcuts").content.decode()
    assert 'data-shortcuts="off"' in page and problems_of(page) == []


def test_visitors_pages_have_no_search_and_no_bell(client):
    page = client.get("/astakos/ui/login").content.decode()
    assert "nav-search" not in page and "nav-notifications" not in page


def test_a_part_of_the_overview_that_does_not_answer_says_so(browser, monkeypatch):
    def fails(credentials: Credentials) -> list[tuple[str, str]]:
        raise ServiceUnavailable("down")

    monkeypatch.setitem(facts._sources, "cyclades", fails)
    found = facts.of_component("cyclades", Credentials(user_id="x"))
    assert (found.pairs, found.is_available) == ([], False)
    page = render_to_string(
        "astakos/parts/tiles.html", {"tiles": [{"name": "cyclades", "is_available": False}]}
    )
    assert "tile-unavailable" in page


def test_the_facts_of_a_tile_count_ones_own_things(world):
    maria = Credentials(user_id=world.maria)
    assert dict(facts.of_component("cyclades", maria).pairs) == {"Machines running": "1 of 1"}
    assert dict(facts.of_component("pithos", maria).pairs) == {"Files": "0", "Containers": "1"}


def test_the_strip_shows_the_resources_of_a_page_only(world, browser):
    Resource.objects.filter(name="astakos.pending_app").update(ui_visible=True)
    answer = browser.get("/astakos/ui/resources/strip?resources=astakos.pending_app,cyclades.vm")
    assert answer.status_code == 200 and "cyclades.vm" not in answer.content.decode()


def test_the_profile_shows_what_is_pending_and_takes_it_back(world, browser, settings):
    settings.ASTAKOS_EMAILCHANGE_ENABLED = True
    user = User.objects.get(uuid=world.maria)
    wish = {"new_email_address": "new@x.example", "requested_at": clock.now(), "activation_key_digest": "k"}
    EmailChange.objects.create(user=user, **wish)
    page = browser.get("/astakos/ui/profile").content.decode()
    assert "new@x.example" in page and 'data-testid="pending-change"' in page and problems_of(page) == []
    browser.post("/astakos/ui/email_change/cancel")
    assert 'data-testid="pending-change"' not in browser.get("/astakos/ui/profile").content.decode()


def test_a_component_whose_address_leads_to_an_api_only_has_no_page(rf):
    for url, page in (("http://testserver/pithos/ui", ""), ("http://testserver/astakos/ui/", "/astakos/ui/")):
        assert navigation.page_of({"url": url}, rf.get("/")) == page
