"""Logging in with a real LDAP directory (identity contract 4.5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from astakos.logic import ldap_login, third_party
from astakos.logic.third_party import Kind
from astakos.models import UserAuthProvider
from synnefo import clock
from synnefo.errors import BadRequest, ServiceUnavailable
from tests.astakos.conftest import MakeUser
from tests.conftest import started
from tests.lab.instance import free_ports
from tests.lab.slapd import ADMIN_DN, ADMIN_PASSWORD, PEOPLE, SUFFIX, Slapd, password_of

pytestmark = pytest.mark.functional

ldap = pytest.importorskip("ldap")
config = pytest.importorskip("django_auth_ldap.config")
MARIA = str(PEOPLE[0][2])


@pytest.fixture(scope="module")
def slapd() -> Iterator[Slapd]:
    directory = started(Slapd)
    yield directory
    directory.stop()


@pytest.fixture
def search_mode(slapd: Slapd, settings: Any) -> None:
    settings.ASTAKOS_IM_MODULES = ["local", "ldap"]
    settings.AUTH_LDAP_SERVER_URI = slapd.url
    settings.AUTH_LDAP_BIND_DN = ADMIN_DN
    settings.AUTH_LDAP_BIND_PASSWORD = ADMIN_PASSWORD
    settings.AUTH_LDAP_USER_SEARCH = config.LDAPSearchUnion(
        *(
            config.LDAPSearch(f"ou={unit},{SUFFIX}", ldap.SCOPE_SUBTREE, "(uid=%(user)s)")
            for unit in ("physics", "biology")
        )
    )


@pytest.fixture
def bind_mode(slapd: Slapd, settings: Any) -> None:
    settings.ASTAKOS_IM_MODULES = ["local", "ldap"]
    settings.AUTH_LDAP_SERVER_URI = slapd.url
    settings.AUTH_LDAP_USER_DN_TEMPLATE = f"uid=%(user)s,ou=physics,{SUFFIX}"
    settings.AUTH_LDAP_BIND_AS_AUTHENTICATING_USER = True


def log_in(username: str = "maria", password: str | None = None) -> Any:
    return ldap_login.check_password(
        username=username, password=password_of(username) if password is None else password
    )


def test_search_mode_finds_people_of_all_departments(search_mode: None) -> None:
    maria, nikos = log_in(), log_in("nikos")
    assert (maria.identifier, maria.email, maria.first_name, maria.last_name) == (
        MARIA, "maria@lab.example", "Maria", "Doe",
    )  # fmt: skip
    assert nikos.identifier == str(PEOPLE[1][2])
    assert maria.forced == frozenset()


def test_bind_mode_needs_no_account_of_our_own(bind_mode: None) -> None:
    assert log_in().identifier == MARIA
    assert log_in("nikos") is None


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("maria", "wrong"), ("maria", ""), ("", "x"), ("nobody", "x"), ("maria", "x\0y"),
        ("*", "maria-password"), ("maria)(uid=*", "maria-password"), ("m" * 300, "x"), ("maria", "x" * 2000),
        ("admin", ADMIN_PASSWORD),
    ],
)  # fmt: skip
def test_wrong_credentials_are_refused(search_mode: None, username: str, password: str) -> None:
    assert log_in(username, password) is None


@pytest.mark.parametrize("username", ["maria,ou=physics", "maria,ou=physics,dc=lab,dc=example+x", "\\"])
def test_a_name_cannot_leave_its_template(bind_mode: None, username: str) -> None:
    assert log_in(username, "maria-password") is None


def test_the_connection_can_be_encrypted(search_mode: None, slapd: Slapd, settings: Any) -> None:
    settings.AUTH_LDAP_START_TLS = True
    settings.AUTH_LDAP_CONNECTION_OPTIONS = {
        ldap.OPT_X_TLS_CACERTFILE: slapd.certificate_path,
        ldap.OPT_X_TLS_REQUIRE_CERT: ldap.OPT_X_TLS_DEMAND,
        ldap.OPT_X_TLS_NEWCTX: 0,
    }
    assert log_in().identifier == MARIA
    settings.AUTH_LDAP_CONNECTION_OPTIONS = {
        ldap.OPT_X_TLS_CACERTFILE: "/etc/ssl/certs/ca-certificates.crt",
        ldap.OPT_X_TLS_REQUIRE_CERT: ldap.OPT_X_TLS_DEMAND,
        ldap.OPT_X_TLS_NEWCTX: 0,
    }
    with pytest.raises(ServiceUnavailable):
        log_in()


@pytest.fixture
def groups(search_mode: None, settings: Any) -> None:
    settings.AUTH_LDAP_GROUP_SEARCH = config.LDAPSearch(
        f"ou=groups,{SUFFIX}", ldap.SCOPE_SUBTREE, "(objectClass=groupOfNames)"
    )
    settings.AUTH_LDAP_GROUP_TYPE = config.GroupOfNamesType()


def test_a_required_group_keeps_others_out(groups: None, settings: Any) -> None:
    settings.AUTH_LDAP_REQUIRE_GROUP = f"cn=researchers,ou=groups,{SUFFIX}"
    assert log_in().identifier == MARIA
    assert log_in("nikos") is None


@pytest.mark.django_db
def test_groups_are_mirrored_at_each_login(groups: None, settings: Any, make_user: MakeUser) -> None:
    assert log_in().groups is None
    settings.ASTAKOS_AUTH_PROVIDER_LDAP_MIRROR_GROUPS_POLICY = True
    user = make_user().row
    UserAuthProvider.objects.create(user=user, module="ldap", identifier=MARIA, created=clock.now())
    assert third_party.resolve(log_in()).kind is Kind.LOG_IN
    assert [group.name for group in user.groups.all()] == ["researchers"]


def test_a_missing_attribute_that_is_not_mutable_fails_the_login(search_mode: None, settings: Any) -> None:
    assert log_in("nomail").email == ""
    settings.ASTAKOS_AUTH_PROVIDER_LDAP_USER_ATTR_MAP = {"email": ("mail", False)}
    with pytest.raises(BadRequest, match="email"):
        log_in("nomail")
    assert log_in().forced == {"email"}


def test_wanted_attributes_are_kept(search_mode: None, settings: Any) -> None:
    settings.ASTAKOS_AUTH_PROVIDER_LDAP_PROVIDER_ATTRS = ["CN", "objectGUID", "absent"]
    assert log_in().info == {"username": "maria", "CN": "Maria Doe", "objectGUID": MARIA}


def test_a_directory_that_is_down_says_so(search_mode: None, settings: Any) -> None:
    settings.AUTH_LDAP_SERVER_URI = f"ldap://127.0.0.1:{free_ports(1)[0]}"
    with pytest.raises(ServiceUnavailable, match="does not answer"):
        log_in()


def test_a_wrong_password_of_our_own_account_is_not_the_users_fault(search_mode: None, settings: Any) -> None:
    settings.AUTH_LDAP_BIND_PASSWORD = "wrong"
    with pytest.raises(ServiceUnavailable):
        log_in()
