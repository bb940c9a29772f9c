"""Tokens, addresses and configuration files for programs (web contract 8: A-11, A-12)."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, re_path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from astakos.logic import client_files
from astakos.logic.catalog import service_catalog
from astakos.logic.client_files import ClientFile
from astakos.logic.token_renewal import renew_token
from astakos.logic.tokens import user_token
from astakos.models import User
from astakos.web.access import ready_required, user_of
from astakos.web.sessions import limit_session
from astakos.web.step_up import is_recent, step_up_required, to_confirmation
from synnefo import clock
from synnefo.credentials import Credentials


@require_safe
@ready_required
def show(request: HttpRequest) -> HttpResponse:
    """Show how programs reach this cloud; the token itself only with ``?reveal`` and a recent login."""
    user = user_of(request)
    reveal = "reveal" in request.GET
    if reveal and not is_recent(request):
        return to_confirmation(f"{reverse('astakos-api-access')}?reveal=1")
    context = {
        "account": user,
        "auth_url": client_files.auth_url(),
        "cloud": client_files.cloud_name(),
        "token": user_token(user) if reveal else "",
        "is_expired": user.auth_token_expires <= clock.now(),
        "endpoints": _endpoints(),
        "commands": _commands(),
        "client_url": settings.ASTAKOS_API_CLIENT_URL,
        "is_recent": is_recent(request),
    }
    response = render(request, "astakos/api_access.html", context)
    response["Cache-Control"] = "private, no-store"
    return response


def _endpoints() -> list[dict[str, str]]:
    return [
        {"name": str(service["name"]), "type": str(service["type"]), "url": str(endpoint["publicURL"])}
        for service in service_catalog()
        for endpoint in service["endpoints"]
        if endpoint.get("publicURL")
    ]


def _commands() -> list[tuple[str, str]]:
    """Return what to type in each client; none of it contains the token."""
    cloud, url = client_files.cloud_name(), client_files.auth_url()
    option = f"--os-cloud {shlex.quote(cloud)}"
    remote = shlex.quote(f"{cloud}:")
    return [
        ("kamaki", "pip install kamaki\nkamaki user info\nkamaki server list\nkamaki file list"),
        (
            "openstack",
            "pip install python-openstackclient\n"
            f"openstack {option} server list\nopenstack {option} image list\nopenstack {option} network list",
        ),
        ("rclone", f"rclone lsd {remote}\nrclone copy pictures {shlex.quote(f'{cloud}:pithos/pictures')}"),
        ("curl", f'read -rs TOKEN\ncurl -H "X-Auth-Token: $TOKEN" {shlex.quote(f"{url}/tenants")}'),
    ]


@require_POST
@ready_required
@step_up_required("astakos-api-access")
def renew(request: HttpRequest) -> HttpResponse:
    """Replace the token; every program that has the old one stops, other browsers are signed out."""
    user = user_of(request)
    renew_token(
        Credentials(user_id=user.uuid), user_id=user.pk, end_sessions_besides=request.session.session_key
    )
    user.refresh_from_db()
    limit_session(request, user)
    messages.success(request, _("You have a new token. Programs that used the old one need it now."))
    response = HttpResponseRedirect(f"{reverse('astakos-api-access')}?reveal=1")
    response.status_code = 303
    return response


def _download(build: Callable[[User], ClientFile]) -> Callable[[HttpRequest], HttpResponse]:
    @require_safe
    @ready_required
    @step_up_required("astakos-api-access")
    def download(request: HttpRequest) -> HttpResponse:
        file = build(user_of(request))
        response = HttpResponse(file.content, content_type=file.content_type)
        response["Content-Disposition"] = f'attachment; filename="{file.name}"'
        response["Cache-Control"] = "private, no-store"
        response["X-Content-Type-Options"] = "nosniff"
        return response

    return download


@require_safe
def openrc(request: HttpRequest) -> HttpResponse:
    """Answer the shell script, with the token inside when ``?token`` asks for it."""
    with_token = "token" in request.GET
    return _download(lambda user: client_files.openrc(user, with_token=with_token))(request)


urlpatterns: list[URLPattern] = [
    re_path(r"^ui/api_access/?$", show, name="astakos-api-access"),
    re_path(r"^ui/profile/update_token/?$", renew, name="astakos-renew-token"),
    re_path(r"^ui/\.kamakirc$", _download(client_files.kamakirc), name="astakos-kamakirc"),
    re_path(r"^ui/clouds\.yaml$", _download(client_files.clouds_yaml), name="astakos-clouds-yaml"),
    re_path(r"^ui/openrc\.sh$", openrc, name="astakos-openrc"),
    re_path(r"^ui/rclone\.conf$", _download(client_files.rclone_conf), name="astakos-rclone-conf"),
]
