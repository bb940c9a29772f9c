"""The dialect's paths, relative to ``identity/v3``."""

from __future__ import annotations

from django.urls import URLPattern

from astakos.api.v3 import catalog, credentials, projects, tokens, users, versions
from astakos.api.v3.service import api

_ID = r"[^/]{1,255}"
_USER = rf"users/(?P<user_id>{_ID})"
_CREDENTIALS = rf"{_USER}/application_credentials"
#: Authenticates by itself: callers may be components, and the subject decides.
_SUBJECT = False

urlpatterns: list[URLPattern] = [
    api.route(
        r"auth/tokens/?",
        POST=tokens.create, GET=tokens.show, HEAD=tokens.check, DELETE=tokens.revoke, auth=_SUBJECT,
    ),
    api.route(r"auth/catalog/?", GET=catalog.show_catalog),
    api.route(r"auth/projects/?", GET=projects.list_scopes),
    api.route(r"auth/domains/?", GET=projects.list_domains),
    api.route(r"projects/?", GET=projects.list_own),
    api.route(rf"projects/(?P<project_id>{_ID})/?", GET=projects.show),
    api.route(r"users/?", GET=users.list_own),
    api.route(rf"{_USER}/?", GET=users.show),
    api.route(rf"{_USER}/projects/?", GET=projects.list_of_user),
    api.route(rf"{_CREDENTIALS}/?", GET=credentials.list_own, POST=credentials.create),
    api.route(
        rf"{_CREDENTIALS}/(?P<credential_id>{_ID})/?", GET=credentials.show, DELETE=credentials.delete
    ),
    api.route(r"domains/?", GET=projects.list_domains),
    api.route(rf"domains/(?P<domain_id>{_ID})/?", GET=projects.show_domain),
    api.route(r"services/?", GET=catalog.list_services),
    api.route(rf"services/(?P<item_id>{_ID})/?", GET=catalog.show_service),
    api.route(r"endpoints/?", GET=catalog.list_endpoints),
    api.route(rf"endpoints/(?P<item_id>{_ID})/?", GET=catalog.show_endpoint),
    api.route(r"regions/?", GET=catalog.list_regions),
    api.route(rf"regions/(?P<item_id>{_ID})/?", GET=catalog.show_region),
    api.route("", GET=versions.show, auth=False),
    api.catch_all(),
]  # fmt: skip
