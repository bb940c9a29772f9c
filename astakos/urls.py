"""Astakos URLs, relative to the path of ASTAKOS_BASE_URL."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, re_path

from astakos.api import (
    account,
    admin_users,
    cloud_bar,
    commissions,
    identity,
    memberships,
    projects,
    quotas,
    statistics,
)
from astakos.api.service import AccountApi, component_of
from astakos.api.v3 import routes as v3_routes
from astakos.web import urls as pages

account_api = AccountApi("account")
ui_api = AccountApi("cloud-bar")
_identity = identity.api
_account = account_api.route

_identity_patterns: list[URLPattern | URLResolver] = [
    _identity.route(r"(?:\.json)?", GET=identity.list_versions, auth=False),
    _identity.route(r"v2\.0/?(?:\.json)?", GET=identity.show_version, auth=False),
    _identity.route(r"v2\.0/tokens/?", POST=identity.authenticate, auth=False),
    _identity.route(r"v2\.0/tokens/(?P<token>[\s\S]+)", GET=identity.show_token, auth=False),
    re_path(r"^v3(?:/|$)", include(v3_routes.urlpatterns)),
    _identity.route(r"v2\.0/tenants/?", GET=identity.list_tenants),
    *admin_users.urlpatterns,
    _identity.catch_all(),
]

_account_patterns = [
    _account(r"v1\.0/authenticate/?", GET=account.authenticate),
    _account(r"v1\.0/user_catalogs/?", POST=account.user_catalogs),
    _account(r"v1\.0/service/user_catalogs/?", POST=account.service_user_catalogs, auth=component_of),
    _account(r"v1\.0/feedback/?", POST=account.send_feedback),
    _account(r"v1\.0/myaccount/default_project/?", POST=account.set_default_project),
    _account(r"v1\.0/resources/?", GET=quotas.list_resources, auth=False),
    _account(r"v1\.0/quotas/?", GET=quotas.show_quotas),
    _account(r"v1\.0/service_quotas/?", GET=quotas.service_quotas, auth=component_of),
    _account(r"v1\.0/service_project_quotas/?", GET=quotas.service_project_quotas, auth=component_of),
    _account(r"v1\.0/commissions/?", GET=commissions.list_pending, POST=commissions.issue, auth=component_of),
    _account(r"v1\.0/commissions/action/?", POST=commissions.act_on_many, auth=component_of),
    _account(r"v1\.0/commissions/(?P<serial>[0-9]{1,30})/?", GET=commissions.show, auth=component_of),
    _account(r"v1\.0/commissions/(?P<serial>[0-9]{1,30})/action/?", POST=commissions.act, auth=component_of),
    _account(r"v1\.0/projects/?", GET=projects.list_projects, POST=projects.create_project),
    _account(
        r"v1\.0/projects/memberships/?",
        GET=memberships.list_memberships,
        POST=memberships.create_membership,
    ),
    _account(r"v1\.0/projects/memberships/(?P<membership_id>[0-9]{1,30})/?", GET=memberships.show_membership),
    _account(r"v1\.0/projects/memberships/(?P<membership_id>[0-9]{1,30})/action/?", POST=memberships.act),
    _account(
        r"v1\.0/projects/(?P<uuid>[0-9a-f-]{36})/?",
        GET=projects.show_project,
        PUT=projects.modify_project,
    ),
    _account(r"v1\.0/projects/(?P<uuid>[0-9a-f-]{36})/action/?", POST=projects.act),
    account_api.catch_all(),
]

urlpatterns: list[URLPattern | URLResolver] = [
    re_path(r"^identity(?:/|$)", include(_identity_patterns)),
    re_path(r"^account(?:/|$)", include(_account_patterns)),
    re_path(r"^admin(?:/|$)", include(statistics.urlpatterns)),
    re_path(
        r"^ui/",
        include(
            [
                ui_api.route(r"get_services/?", GET=cloud_bar.get_services, auth=False),
                ui_api.route(r"get_menu/?", GET=cloud_bar.get_menu, auth=False),
            ]
        ),
    ),
    *pages.urlpatterns,
]
