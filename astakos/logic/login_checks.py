"""Start-up checks of the login methods: what is enabled must be installed and configured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from astakos.logic import auth_providers, external_identity, social

#: Python packages that a login method needs, and the extra of this package that brings them.
_PACKAGES = {
    "ldap": (("ldap", "django_auth_ldap"), "ldap"),
    "saml": (("saml2",), "saml"),
    **dict.fromkeys(social.MODULES, (("social_core",), "social")),
}


def register() -> None:
    """Make ``check`` and every start of the service look at the login methods."""
    checks.register(check_login_methods)


def check_login_methods(app_configs: Any, **kwargs: Any) -> Sequence[checks.CheckMessage]:
    """Return what keeps an enabled login method from working, with what to do about it."""
    try:
        modules = auth_providers.enabled_modules()
    except ValueError as error:
        return [checks.Error(str(error), id="astakos.E001")]
    return [message for module in modules for message in _problems(module)]


def _problems(module: str) -> Iterator[checks.CheckMessage]:
    packages, extra = _PACKAGES.get(module, ((), ""))
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        yield checks.Error(
            f"The login method '{module}' needs the Python packages {', '.join(missing)}",
            hint=f"pip install 'synnefo[{extra}]', or take it out of ASTAKOS_IM_MODULES",
            id="astakos.E002",
        )
    try:
        external_identity.attribute_map(module)
        if module in social.MODULES:
            social.check_configuration(module)
    except (ValueError, ImproperlyConfigured) as error:
        yield checks.Error(str(error), id="astakos.E003")
    if module == "saml":
        yield from _saml_problems()
    if module == "ldap" and not getattr(settings, "AUTH_LDAP_SERVER_URI", ""):
        yield checks.Error(
            "The login method 'ldap' needs the setting AUTH_LDAP_SERVER_URI", id="astakos.E003"
        )


def _saml_problems() -> Iterator[checks.CheckMessage]:
    files = [str(path) for path in settings.ASTAKOS_SAML_METADATA_FILES]
    if not files:
        yield checks.Error(
            "The login method 'saml' needs the setting ASTAKOS_SAML_METADATA_FILES", id="astakos.E003"
        )
    own = (settings.ASTAKOS_SAML_KEY_FILE, settings.ASTAKOS_SAML_CERT_FILE)
    wanted = [*files, settings.ASTAKOS_SAML_XMLSEC_PROGRAM, *(path for path in own if path)]
    absent = [path for path in wanted if not Path(path).exists()]
    if absent:
        yield checks.Error(
            f"The login method 'saml' needs files that do not exist: {', '.join(absent)}", id="astakos.E003"
        )
