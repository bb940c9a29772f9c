"""Version discovery, tokens and the catalog (identity contract 1.1 to 1.4)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from astakos.api import tokens_xml
from astakos.api.service import AccountApi, identity_of
from astakos.api.v3.versions import version as v3_version
from astakos.logic import oauth2, token_requests
from astakos.logic.authentication import Identity
from astakos.logic.catalog import current_catalog
from astakos.logic.token_requests import Authentication
from synnefo import clock
from synnefo.api import json_response, read_object
from synnefo.api.responses import XML_TYPE, json_member, rendered_response, requested_format

api = AccountApi("identity")

_UPDATED = "2014-04-17T00:00:00Z"


def _version() -> dict[str, Any]:
    href = f"{settings.ASTAKOS_BASE_URL.rstrip('/')}/identity/v2.0/"
    return {"id": "v2.0", "status": "CURRENT", "updated": _UPDATED, "links": [{"rel": "self", "href": href}]}


def list_versions(request: HttpRequest) -> HttpResponse:
    """Answer which versions of the identity API there are."""
    return json_response({"versions": {"values": [_version(), v3_version()]}})


def show_version(request: HttpRequest) -> HttpResponse:
    """Describe version 2.0; generic clients read its links."""
    version = _version()
    version["links"].append(
        {"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"}
    )
    media_types = [{"base": "application/json", "type": "application/vnd.openstack.identity-v2.0+json"}]
    return json_response({"version": {**version, "media_types": media_types, "media-types": media_types}})


def authenticate(request: HttpRequest) -> HttpResponse:
    """Check credentials and answer who they are, with the catalog; without a body just the catalog."""
    if not _has_body(request):
        access: dict[str, Any] = {}
    else:
        access = _access(token_requests.authenticate(read_object(request)))
    catalog = current_catalog()
    if requested_format(request) == "xml":
        access["serviceCatalog"] = catalog.entries
        return HttpResponse(tokens_xml.render(access), content_type=XML_TYPE)
    rendered = json_member(access, "serviceCatalog", catalog.text.encode())
    return rendered_response(json_member({}, "access", rendered))


def _has_body(request: HttpRequest) -> bool:
    """Tell whether credentials were sent; a length that is no number counts as none."""
    if "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower():
        return True
    length = request.META.get("CONTENT_LENGTH") or ""
    return length.isdecimal() and int(length) > 0


def _access(authentication: Authentication) -> dict[str, Any]:
    identity = authentication.identity
    return {
        "token": {
            "id": identity.token,
            "expires": clock.isoformat(identity.token_expires),
            "issued_at": clock.isoformat(identity.token_created),
            "tenant": {"id": authentication.tenant, "name": identity.name},
        },
        "user": _user(identity),
        "metadata": {"is_admin": 0, "roles": [role.id for role in identity.roles]},
    }


def _user(identity: Identity) -> dict[str, Any]:
    return {
        "id": identity.uuid,
        "name": identity.name,
        "username": identity.name,
        "roles": [{"id": role.id, "name": role.name} for role in identity.roles],
        "roles_links": [],
        "projects": list(identity.projects),
    }


def show_token(request: HttpRequest, token: str) -> HttpResponse:
    """Validate an OAuth2 access token; a user's token is none of these, so it is not found."""
    info = oauth2.validate_access_token(token=token, belongs_to=request.GET.get("belongsTo"))
    user = _user(info.identity)
    del user["projects"]
    access = {
        "token": {
            "id": token,
            "expires": clock.isoformat(info.expires),
            "issued_at": clock.isoformat(info.created),
            "tenant": {"id": info.identity.default_project, "name": info.identity.name},
        },
        "user": user,
    }
    if requested_format(request) == "xml":
        return HttpResponse(tokens_xml.render(access), content_type=XML_TYPE)
    return json_response({"access": access})


def list_tenants(request: HttpRequest) -> HttpResponse:
    """List the projects a generic client may name as its tenant."""
    identity = identity_of(request)
    tenants = token_requests.tenants(identity)
    return json_response(
        {
            "tenants": [
                {"id": tenant.uuid, "name": tenant.name, "enabled": True, "description": tenant.description}
                for tenant in tenants
            ],
            "tenants_links": [],
        }
    )
