"""Start-up checks of login methods, and what the settings registry accepts for them."""

from __future__ import annotations

from typing import Any

import pytest

from astakos.logic import login_checks
from synnefo import settings_registry
from synnefo.settings_registry import SettingsError

pytestmark = pytest.mark.unit


def problems() -> str:
    return "\n".join(f"{item.msg} {item.hint or ''}" for item in login_checks.check_login_methods(None))


def test_passwords_need_nothing(settings: Any) -> None:
    settings.ASTAKOS_IM_MODULES = ["local", "shibboleth"]
    assert problems() == ""


@pytest.mark.parametrize(
    ("modules", "text"),
    [
        (["telepathy"], "telepathy"), (["ldap"], "AUTH_LDAP_SERVER_URI"),
        (["oidc"], "ASTAKOS_OIDC_CLIENT_ID"),
        (["google"], "ASTAKOS_GOOGLE_SECRET"), (["saml"], "ASTAKOS_SAML_METADATA_FILES"),
    ],
)  # fmt: skip
def test_a_missing_setting_is_named(settings: Any, modules: list[str], text: str) -> None:
    settings.ASTAKOS_IM_MODULES = modules
    assert text in problems()


def test_a_missing_package_is_named_with_the_way_to_it(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ASTAKOS_IM_MODULES = ["ldap"]
    monkeypatch.setattr(login_checks, "find_spec", lambda name: None)
    assert "synnefo[ldap]" in problems()


def test_a_missing_file_is_named(settings: Any) -> None:
    settings.ASTAKOS_IM_MODULES = ["saml"]
    settings.ASTAKOS_SAML_METADATA_FILES = ["/nonexistent/idp.xml"]
    assert "/nonexistent/idp.xml" in problems()


def test_a_wrong_attribute_map_is_told(settings: Any) -> None:
    settings.ASTAKOS_IM_MODULES = ["local"]
    settings.ASTAKOS_AUTH_PROVIDER_LOCAL_USER_ATTR_MAP = {"shoe_size": ("x", True)}
    assert "shoe_size" in problems()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AUTH_LDAP_SERVER_URI", "ldap://x"), ("AUTH_LDAP_START_TLS", True),
        ("AUTH_LDAP_USER_SEARCH", object()),
        ("AUTH_LDAP_BIND_AS_AUTHENTICATING_USER", True), ("AUTH_LDAP_CONNECTION_OPTIONS", {1: 2}),
        ("ASTAKOS_AUTH_PROVIDER_LDAP_LOGIN_POLICY", False), ("ASTAKOS_AUTH_PROVIDER_LDAP_LIMIT_POLICY", 2),
        ("ASTAKOS_AUTH_PROVIDER_LDAP_ADD_GROUPS_POLICY", ["x"]), ("ASTAKOS_AUTH_PROVIDERS_LIMIT_POLICY", 2),
        ("ASTAKOS_AUTH_PROVIDER_LDAP_TITLE", "x"),
        ("ASTAKOS_AUTH_PROVIDER_LDAP_USER_ATTR_MAP", {"email": ("mail", False)}),
    ],
)  # fmt: skip
def test_the_registry_accepts(name: str, value: object) -> None:
    settings_registry.check(name, value, set(), "here")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ASTAKOS_AUTH_PROVIDER_LDAP_LOGIN_POLICY", "yes"), ("ASTAKOS_AUTH_PROVIDER_LDAP_LIMIT_POLICY", True),
        ("ASTAKOS_AUTH_PROVIDER_LDAP_LOGGIN_POLICY", True), ("ASTAKOS_SECOND_FACTOR_POLICY", "sometimes"),
        ("AUTH_LDAP_BIND_PASSWORD", 5),
    ],
)  # fmt: skip
def test_the_registry_refuses(name: str, value: object) -> None:
    with pytest.raises(SettingsError):
        settings_registry.check(name, value, set(), "here")
