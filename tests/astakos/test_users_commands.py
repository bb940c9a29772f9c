"""user-* and group-* commands."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.contrib.sessions.backends.cached_db import SessionStore
from django.core import mail
from django.core.management import CommandError, call_command
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks, Settings

from astakos import public
from astakos.logic import accounts, tokens
from astakos.models import Holding, Project, ProjectState, SessionCatalog, User
from synnefo import clock
from synnefo.credentials import Credentials
from synnefo.errors import Unauthorized
from tests.astakos.conftest import Api, MakeUser, Person

pytestmark = [pytest.mark.db, pytest.mark.django_db]
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def run(*words: object) -> str:
    out = io.StringIO()
    call_command(*map(str, words), stdout=out, stderr=io.StringIO())
    return out.getvalue()


def refused(*words: object) -> str:
    with pytest.raises(CommandError) as caught:
        run(*words)
    return str(caught.value)


def load(*words: object) -> Any:
    return json.loads(run(*words, "--output-format", "json"))


@pytest.fixture
def newcomer(db: None) -> User:
    run("user-add", "new@lab.example", "Nina", "New", "--password", "secret-pass")
    return User.objects.get(username="new@lab.example")


def test_add_prints_uuid_and_generated_password() -> None:
    text = run("user-add", "New@Lab.example", "Nina", "New")
    user = User.objects.get()
    assert UUID.findall(text) == [user.uuid]
    assert user.check_password(text.rsplit(" ", 1)[1].strip())
    assert (user.username, user.is_active, user.email_verified) == ("new@lab.example", False, False)
    assert user.has_signed_terms
    assert [str(provider) for provider in user.auth_providers.all()] == ["local"]


def test_add_does_not_repeat_a_given_password(newcomer: User) -> None:
    assert newcomer.check_password("secret-pass")
    assert "secret-pass" not in run("user-show", newcomer.pk)


def test_add_refuses_duplicates_and_nonsense(newcomer: User) -> None:
    assert "already a user" in refused("user-add", "NEW@lab.example", "A", "B")
    assert "not a valid e-mail" in refused("user-add", "nonsense", "A", "B")
    assert "first name" in refused("user-add", "x@lab.example", "A" * 31, "B")
    assert "Group nothing does not exist" in refused("user-add", "x@lab.example", "A", "B", "-g", "nothing")
    assert User.objects.count() == 1


def test_add_with_group_permission_and_admin() -> None:
    Group.objects.create(name="helpdesk")
    run("user-add", "a@lab.example", "A", "B", "--admin", "-g", "helpdesk", "-p", "can_dance")
    user = User.objects.get()
    assert user.is_superuser
    assert [group.name for group in user.groups.all()] == ["helpdesk"]
    assert [permission.codename for permission in user.user_permissions.all()] == ["can_dance"]


def test_verify_and_accept_in_one_call_make_an_active_user(newcomer: User, service: Api) -> None:
    text = run("user-modify", newcomer.pk, "--verify", "--accept")
    assert "Account verified (new@lab.example)" in text
    assert "Account accepted and activated" in text
    newcomer.refresh_from_db()
    assert newcomer.is_active
    assert Project.objects.get(base_user=newcomer).uuid == newcomer.uuid == newcomer.default_project
    limits = Holding.objects.filter(resource="demo.vm").values_list("holder", "source", "limit")
    assert set(limits) == {
        (f"user:{newcomer.uuid}", f"project:{newcomer.uuid}", 4),
        (f"project:{newcomer.uuid}", None, 4),
    }


def test_accept_needs_verification(newcomer: User) -> None:
    assert "not verified" in refused("user-modify", newcomer.pk, "--accept")


def test_second_verification_fails(newcomer: User) -> None:
    run("user-modify", newcomer.pk, "--verify")
    assert "already verified" in refused("user-modify", newcomer.pk, "--verify")


def test_verification_mails_the_moderators(
    newcomer: User,
    settings: Settings,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    settings.HELPDESK = [("Help", "help@lab.example")]
    with django_capture_on_commit_callbacks(execute=True):
        run("user-modify", newcomer.pk, "--verify")
    (message,) = mail.outbox
    assert message.to == ["help@lab.example"]
    assert f"user-modify {newcomer.pk} --accept" in message.body


def test_without_moderation_verification_accepts(newcomer: User, settings: Settings) -> None:
    settings.ASTAKOS_MODERATION_ENABLED = False
    run("user-modify", newcomer.pk, "--verify", "--accept")
    newcomer.refresh_from_db()
    assert (newcomer.is_active, newcomer.accepted_policy) == (True, "auto_moderation")


def test_address_pattern_accepts(newcomer: User, settings: Settings) -> None:
    settings.ASTAKOS_RE_USER_EMAIL_PATTERNS = [r".*@lab\.example"]
    run("user-modify", newcomer.uuid, "--verify")
    newcomer.refresh_from_db()
    assert newcomer.accepted_policy == "email"


def test_reject_then_accept_after_all(newcomer: User) -> None:
    run("user-modify", newcomer.pk, "--verify")
    run("user-modify", newcomer.pk, "--reject", "--reject-reason", "unknown person")
    assert load("user-show", newcomer.pk)["status"] == "Rejected (unknown person)"
    assert "already moderated" in refused("user-modify", newcomer.pk, "--reject")
    run("user-modify", newcomer.pk, "--accept")
    assert load("user-show", newcomer.pk)["status"] == "Accepted/Active (accepted policy: manual)"


def test_failure_of_one_step_undoes_all(newcomer: User) -> None:
    refused("user-modify", newcomer.pk, "--verify", "--add-group", "nothing")
    newcomer.refresh_from_db()
    assert not newcomer.email_verified


def test_deactivation_suspends_and_activation_resumes(service: Api, user: Person) -> None:
    owned = Project.objects.get(uuid=user.uuid)
    run("user-modify", user.uuid, "--set-inactive", "--inactive-reason", "on leave")
    owned.refresh_from_db()
    assert owned.state == ProjectState.SUSPENDED
    assert set(Holding.objects.values_list("limit", flat=True)) == {0}
    with pytest.raises(Unauthorized, match="User inactive"):
        public.authenticate(user.token)
    assert load("user-show", user.uuid)["status"].startswith("Accepted/Inactive (on leave)")
    run("user-modify", user.uuid, "--set-active")
    owned.refresh_from_db()
    assert owned.state == ProjectState.ACTIVE
    assert Holding.objects.filter(resource="demo.vm", limit=4).count() == 2
    assert public.authenticate(user.token).projects == {user.uuid}


def test_activation_restores_only_what_deactivation_suspended(service: Api, user: Person) -> None:
    from astakos.logic.projects import move_projects

    project = Project.objects.get(uuid=user.uuid)
    move_projects([project], ProjectState.SUSPENDED, "by staff")
    run("user-modify", user.uuid, "--set-inactive")
    run("user-modify", user.uuid, "--set-active")
    project.refresh_from_db()
    assert project.state == ProjectState.SUSPENDED


def test_renewed_token_replaces_the_old_one(user: Person) -> None:
    token = run("user-modify", user.uuid, "--renew-token").split()[-1]
    assert len(token) == 43
    assert public.authenticate(token).user_id == user.uuid
    with pytest.raises(Unauthorized):
        public.authenticate(user.token)


def test_passwords(user: Person) -> None:
    run("user-modify", user.uuid, "--password", "another one")
    assert user.row.check_password("another one")
    generated = run("user-modify", user.uuid, "--renew-password").split()[-1]
    assert user.row.check_password(generated)


def test_groups_and_permissions_come_and_go(user: Person) -> None:
    run("group-add", "helpdesk")
    run("user-modify", user.uuid, "--add-group", "helpdesk", "--add-permission", "p1")
    assert public.authenticate(user.token).roles == {"helpdesk"}
    assert load("user-show", user.uuid)["permissions"] == ["p1"]
    run("user-modify", user.uuid, "--delete-group", "helpdesk", "--delete-permission", "p1")
    assert public.authenticate(user.token).roles == frozenset()
    assert load("user-show", user.uuid)["permissions"] == []
    assert "Group nothing" in refused("user-modify", user.uuid, "--add-group", "nothing")


def test_admin_flag(user: Person) -> None:
    run("user-modify", user.uuid, "--set-admin")
    assert user.row.is_superuser
    run("user-modify", user.uuid, "--set-noadmin")
    assert not user.row.is_superuser
    assert "contradict" in refused("user-modify", user.uuid, "--set-admin", "--set-noadmin")


def test_email_change_changes_the_login_name(user: Person, make_user: MakeUser) -> None:
    make_user("joe@lab.example")
    assert "already a user" in refused("user-modify", user.uuid, "--set-email", "JOE@lab.example")
    run("user-modify", user.uuid, "--set-email", "Mary@lab.example")
    assert (user.row.email, user.row.username) == ("mary@lab.example", "mary@lab.example")


def test_delete_only_before_acceptance(newcomer: User, user: Person) -> None:
    assert "never-accepted" in refused("user-modify", user.uuid, "--delete", "-f")
    run("user-modify", newcomer.pk, "--delete", "--no-confirm")
    assert not User.objects.filter(pk=newcomer.pk).exists()


def test_base_quota_of_one_user(service: Api, user: Person) -> None:
    run("user-modify", user.uuid, "--base-quota", "demo.ram", "2KB")
    assert set(Holding.objects.filter(resource="demo.ram").values_list("limit", flat=True)) == {2048}
    run("user-modify", user.uuid, "--base-quota", "demo.ram", "default")
    assert set(Holding.objects.filter(resource="demo.ram").values_list("limit", flat=True)) == {1000}
    assert "unknown or unsuitable unit" in refused("user-modify", user.uuid, "--base-quota", "demo.vm", "2KB")


def test_base_quota_of_all_users_but_some(service: Api, user: Person, make_user: MakeUser) -> None:
    joe = make_user("joe@lab.example")
    words = ("user-modify", "--all", "--base-quota", "demo.vm", "7", "-f", "--exclude")
    assert "jo@lab.example does not exist" in refused(*words, f"{joe.uuid}, jo@lab.example")
    run(*words, joe.row.email)
    limits = dict(Holding.objects.filter(resource="demo.vm", source=None).values_list("holder", "limit"))
    assert limits == {f"project:{user.uuid}": 7, f"project:{joe.uuid}": 4}


@pytest.mark.parametrize("text", ["0", "99999999999999999999", "no-such", "maria@lab.example"])
def test_unknown_users_are_named(user: Person, text: str) -> None:
    assert f"User with ID {text} does not exist" in refused("user-modify", text, "--verify")


def test_show_takes_all_three_names(user: Person) -> None:
    rows = [load("user-show", name) for name in (user.row.pk, user.uuid, "Maria@lab.example")]
    assert {row["uuid"] for row in rows} == {user.uuid}
    assert user.token not in json.dumps(rows)


def test_show_with_quota_and_projects_is_one_document(service: Api, user: Person) -> None:
    shown = load("user-show", user.uuid, "--quota", "--projects")
    assert {"source": user.uuid, "resource": "demo.vm", "limit": 4, "usage": 0} in shown["Quota"]
    assert shown["Owned Projects"] == []
    (membership,) = shown["Project Memberships"]
    assert membership["status"] == "accepted"
    assert "demo.vm" in run("user-show", user.uuid, "--quota")


def test_list_defaults_and_filters(user: Person, newcomer: User) -> None:
    rows = load("user-list")
    assert list(rows[0]) == ["id", "displayname", "realname", "uuid", "active", "admin"]
    assert [row["displayname"] for row in load("user-list", "--active")] == ["maria@lab.example"]
    assert [row["displayname"] for row in load("user-list", "--pending-verification")] == ["new@lab.example"]
    assert load("user-list", "--pending-moderation") == []
    assert [row["id"] for row in load("user-list", "--filter-by", "is_active=False")] == [newcomer.pk]
    assert load("user-list", "--auth-providers")[0]["providers"] == "local"


def test_list_by_groups(user: Person, newcomer: User) -> None:
    for name in ("a", "b"):
        run("group-add", name)
        run("user-modify", user.uuid, "--add-group", name)
    assert [row["uuid"] for row in load("user-list", "--group", "a", "--group", "b")] == [user.uuid]
    assert load("group-list") == [
        {"id": group.pk, "name": group.name, "users_count": 1} for group in Group.objects.order_by("pk")
    ]


def test_list_does_not_query_per_user(
    make_user: MakeUser, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        make_user(f"u{number}@lab.example")
    with django_assert_max_num_queries(3):
        run("user-list", "-o", "id,providers,groups")


def test_activation_mail(
    newcomer: User, user: Person, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    code = newcomer.verification_code
    with django_capture_on_commit_callbacks(execute=True):
        text = run("user-activation-send", newcomer.pk, user.row.pk)
    assert "Activation sent to new@lab.example" in text
    newcomer.refresh_from_db()
    assert newcomer.verification_code != code
    assert newcomer.activation_sent
    (message,) = mail.outbox
    assert f"/astakos/ui/activate?auth={newcomer.verification_code}&next=" in message.body
    assert "1 of 1" in refused("user-activation-send", "nobody@lab.example")


def test_terms_come_into_force(user: Person, tmp_path: Path) -> None:
    file = tmp_path / "terms.html"
    assert "Invalid location" in refused("term-add", file)
    file.write_bytes(b"\xff\xfe")
    assert "UTF-8" in refused("term-add", file)
    file.write_text("<p>Be good</p>")
    assert re.fullmatch(r"Created term id \d+\n", run("term-add", file))
    with pytest.raises(Unauthorized, match="Pending approval terms"):
        public.authenticate(user.token)
    run("user-modify", user.uuid, "--sign-terms")
    assert public.authenticate(user.token)
    assert user.row.signed_terms is not None


def test_new_user_has_not_signed_terms_that_exist(tmp_path: Path) -> None:
    file = tmp_path / "terms.html"
    file.write_text("<p>Be good</p>")
    run("term-add", file)
    run("user-add", "n@lab.example", "N", "N")
    assert not User.objects.get().has_signed_terms


def test_superuser_made_by_django_becomes_a_whole_account(db: None) -> None:
    call_command(
        "createsuperuser", "--noinput", "--username", "Root@lab.example", "--email", "Root@lab.example",
        "--first_name", "R", "--last_name", "T", stdout=io.StringIO(),
    )  # fmt: skip
    assert "1 superuser(s) completed" in run("fix-superusers")
    assert "0 superuser(s) completed" in run("fix-superusers")
    root = User.objects.get()
    assert (root.username, root.is_superuser, root.is_active) == ("root@lab.example", True, False)
    assert [str(row) for row in root.auth_providers.all()] == ["local"]
    run("user-modify", root.pk, "--verify", "--accept")
    assert public.authenticate(tokens.user_token(User.objects.get()))


def test_cleanup_deletes_what_has_expired(user: Person) -> None:
    store = SessionStore()
    store.set_expiry(-1)
    store.create()
    store.save()
    SessionCatalog.objects.create(session_key=store.session_key, user=user.row, created=clock.now())
    assert load("cleanup-full")["sessions"] == 1
    assert not SessionCatalog.objects.exists()


def test_statistics(service: Api, user: Person) -> None:
    assert load("stats-astakos")["users"]["all"] == {"total": 1, "verified": 1, "active": 1}
    assert "demo.vm" in run("stats-astakos")
    with pytest.raises(CommandError, match="no table"):
        run("stats-astakos", "--output-format", "csv")


def test_waiting_mails_are_sent(newcomer: User) -> None:
    accounts.send_verification(Credentials.administrator(), user_id=newcomer.pk)
    assert run("mails-send") == "1 mail(s) sent, 0 left waiting\n"
    assert run("mails-send") == "0 mail(s) sent, 0 left waiting\n"


def test_a_new_password_ends_browser_sessions_and_a_new_token_does_not(user: Person) -> None:
    SessionCatalog.objects.create(session_key="k", user=user.row, created=clock.now())
    run("user-modify", user.uuid, "--renew-token")
    assert SessionCatalog.objects.exists()
    run("user-modify", user.uuid, "--renew-password")
    assert not SessionCatalog.objects.exists()
