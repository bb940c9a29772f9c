"""What the other services may ask of identity and quota; typed functions over ids and dataclasses."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from astakos.logic import (
    accounts,
    authentication,
    commissions,
    components,
    oauth2,
    projects,
    quotas,
    recounts,
    registration,
    session_authentication,
    users,
)
from astakos.logic.authentication import Identity, ServiceIdentity
from astakos.logic.commissions import Failure, Resolution
from astakos.logic.ledger import ProvisionRequest as Provision
from astakos.logic.limits import project_holder, user_holder
from astakos.logic.quotas import ProjectQuota, UserQuota
from astakos.logic.recounts import Counted, Discrepancy, Recount
from astakos.logic.resources import ResourceDefinition
from astakos.logic.services import ServiceDefinition, export_document
from astakos.logic.tokens import user_token
from astakos.logic.users import UserCatalog
from synnefo.api import request_token
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic
from synnefo.db.prepared import Statement
from synnefo.errors import Unauthorized

__all__ = [
    "CreatedUser",
    "Discrepancy",
    "Failure",
    "Identity",
    "OAuth2Access",
    "OAuth2Token",
    "ProjectQuota",
    "Provision",
    "Recount",
    "Resolution",
    "ResourceDefinition",
    "ServiceDefinition",
    "ServiceIdentity",
    "UserCatalog",
    "UserQuota",
    "active_project_exists",
    "authenticate",
    "authenticate_request",
    "authenticate_service",
    "charge",
    "compare_holdings",
    "correct_holdings",
    "create_user",
    "exchange_oauth2_code",
    "export_services",
    "is_project_member",
    "issue_commission",
    "oauth2_authorization_url",
    "pending_commissions",
    "project_holder",
    "project_quotas",
    "register_component",
    "resolve_commissions",
    "service_definitions",
    "service_quotas",
    "session_credentials",
    "user_catalog",
    "user_holder",
    "validate_oauth2_token",
]


@dataclass(frozen=True, slots=True)
class CreatedUser:
    """A user ready for use; ``token`` is the clear token."""

    uuid: str
    token: str


@dataclass(frozen=True, slots=True)
class OAuth2Access:
    """What an OAuth2 access token allows: acting as ``credentials`` at ``scope`` and below."""

    credentials: Credentials
    scope: str
    client: str
    expires: dt.datetime


@dataclass(frozen=True, slots=True)
class OAuth2Token:
    """An access token in clear, good for ``expires_in`` seconds."""

    token: str
    expires_in: int


def authenticate(token: str) -> Credentials:
    """Return the credentials that *token* stands for, in one query (identity contract 0.3).

    Results must not outlive the request: deactivation and renewal take effect at once. Raises
    ``Unauthorized`` when the token is unknown or expired, the user inactive or the terms unsigned.
    """
    return authentication.authenticate_identity(token).credentials()


def authenticate_request(request: HttpRequest) -> Credentials:
    """Return the credentials of the ``X-Auth-Token`` header, or of the session of our own pages' requests.

    Raises ``Unauthorized``.
    """
    if request_token(request) is None:
        found = session_credentials(request)
        if found is not None:
            return found
    return authenticate(_token_of(request))


def session_credentials(request: HttpRequest) -> Credentials | None:
    """Return whose session a REST call of our own pages carries, ``None`` for others (web contract 2.4)."""
    identity = session_authentication.session_identity(request)
    return None if identity is None else identity.credentials()


def validate_oauth2_token(token: str, *, belongs_to: str) -> OAuth2Access:
    """Return whom an OAuth2 access token stands for at the path *belongs_to* (identity contract 1.4).

    The token must have been granted for that path or one above it. Raises ``NotFound``.
    """
    info = oauth2.validate_access_token(token=token, belongs_to=belongs_to)
    return OAuth2Access(info.identity.credentials(), info.scope, info.client, info.expires)


def exchange_oauth2_code(
    *, client: str, secret: str, code: str, redirect_uri: str, verifier: str = "", address: str = ""
) -> OAuth2Token:
    """Exchange an authorization code for an access token as the confidential *client*, and return it.

    *verifier* belongs to the challenge of the authorization request; *address* is where the browser is, for
    the limit on wrong secrets. Raises ``BadRequest`` for a code that is unknown, used, expired or another
    address's, ``Unauthorized`` for a wrong secret.
    """
    fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
    issued = oauth2.exchange(
        fields | ({"code_verifier": verifier} if verifier else {}),
        authorization=oauth2.basic_authorization(client, secret),
        address=address,
    )
    return OAuth2Token(issued.token, issued.expires_in)


def oauth2_authorization_url(
    *, client: str, redirect_uri: str, scope: str, state: str = "", verifier: str = ""
) -> str:
    """Return where to send a browser that shall come back to *redirect_uri* with a code for *scope*.

    With a *verifier* (RFC 7636) only who knows it can use the code.
    """
    return oauth2.authorization_url(
        client=client, redirect_uri=redirect_uri, scope=scope, state=state, verifier=verifier
    )


def authenticate_service(token: str) -> ServiceIdentity:
    """Return the component that *token* belongs to; raises ``Unauthorized``."""
    return authentication.authenticate_component(token)


def _token_of(request: HttpRequest) -> str:
    token = request_token(request)
    if token is None:
        raise Unauthorized(authentication.TEXT_WITHOUT_CREDENTIALS)
    return token


def charge(user_id: str, project: str, quantities: Mapping[str, int]) -> list[Provision]:
    """Return the provisions by which *user_id* takes *quantities* (resource to amount) from *project*.

    Each resource needs two: the user's holding in the project and the project's own (identity contract 2.1).
    """
    source = project_holder(project)
    provisions = []
    for resource, quantity in quantities.items():
        provisions.append(Provision(user_holder(user_id), source, resource, quantity))
        provisions.append(Provision(source, None, resource, quantity))
    return provisions


def issue_commission(
    *,
    clientkey: str,
    name: str,
    provisions: Sequence[Provision],
    force: bool = False,
    auto_accept: bool = False,
    first: Sequence[Statement] = (),
) -> int:
    """Reserve *provisions* in the caller's transaction and return the serial (identity contract 2.5).

    All or nothing, and nothing is written before every check passed. *first* are statements of the caller
    that are executed before, on PostgreSQL in the same round trip. Raises ``OverLimit`` or ``NotFound``,
    both with ``data`` as the quota API shows it.
    """
    return commissions.issue(
        clientkey=clientkey,
        name=name,
        provisions=provisions,
        force=force,
        auto_accept=auto_accept,
        first=first,
    )


def resolve_commissions(
    *, clientkey: str, accept: Collection[int] = (), reject: Collection[int] = ()
) -> Resolution:
    """Accept and reject pending commissions in the caller's transaction; ``failed`` has the rest."""
    return commissions.resolve(clientkey=clientkey, accept=list(accept), reject=list(reject))


def pending_commissions(*, clientkey: str, older_than: int = 0) -> list[int]:
    """Return the serials of this client's commissions that have waited ``older_than`` seconds or more."""
    return commissions.pending(clientkey=clientkey, older_than=older_than)


def user_catalog(*, uuids: Iterable[str] = (), emails: Iterable[str] = ()) -> UserCatalog:
    """Translate uuids to e-mail addresses and back; unknown ones are absent."""
    return users.catalog(uuids=uuids, emails=emails)


def service_quotas(
    *,
    resources: Collection[str],
    users: Collection[str] | None = None,
    projects: Collection[str] | None = None,
) -> list[UserQuota]:
    """Return holdings of *resources* by user and project; ``None`` means everybody's."""
    return quotas.service_quotas(resources=resources, users=users, projects=projects)


def project_quotas(
    *, resources: Collection[str], projects: Collection[str] | None = None
) -> list[ProjectQuota]:
    """Return the projects' own holdings of *resources*; ``None`` means all initialised projects."""
    return quotas.project_quotas(resources=resources, projects=projects)


def compare_holdings(
    counted: Counted, *, resources: Collection[str], user: str | None = None, project: str | None = None
) -> Recount:
    """Compare what a service counted, (user, project, resource) to amount, with the holdings.

    Of one user or all, in one project or all; without a user the projects' own holdings, too. Counting and
    comparing belong into one ``consistent_read``.
    """
    return recounts.compare(counted, resources=resources, user=user, project=project)


def correct_holdings(
    credentials: Credentials,
    *,
    clientkey: str,
    name: str,
    unsynced: Iterable[Discrepancy],
    force: bool = False,
) -> None:
    """Bring holdings to what was counted, all or nothing; raises ``OverLimit`` unless *force*."""
    recounts.correct(credentials, clientkey=clientkey, name=name, unsynced=unsynced, force=force)


def is_project_member(user_id: str, project: str) -> bool:
    """Tell whether the user may charge new resources to this project."""
    return projects.is_member(user_id=user_id, project=project)


def active_project_exists(project: str) -> bool:
    """Tell whether *project* is an active project."""
    return projects.active_exists(project=project)


def register_component(
    *, name: str, base_url: str, ui_url: str, services: Sequence[ServiceDefinition]
) -> str:
    """Register a component with its public services and resources, or refresh it; return its token."""
    return components.register(
        Credentials.administrator(), name=name, base_url=base_url, ui_url=ui_url, definitions=services
    )


def service_definitions() -> tuple[ServiceDefinition, ...]:
    """Return the services that identity itself offers, for ``register_component``."""
    return registration.service_definitions()


def export_services(
    *, component: str, base_url: str, definitions: Sequence[ServiceDefinition]
) -> dict[str, dict[str, Any]]:
    """Return the document about a component's services that ``service-import`` reads."""
    return export_document(component=component, base_url=base_url, definitions=definitions)


def create_user(
    *,
    email: str,
    password: str,
    first_name: str,
    last_name: str,
    admin: bool = False,
    token: str | None = None,
) -> CreatedUser:
    """Create a verified, accepted and active user with a system project; no mail is sent.

    *token* is used instead of a fresh one. Raises ``Conflict`` when the address is taken.
    """
    administrator = Credentials.administrator()
    with atomic():
        user = users.create(
            administrator,
            email=email,
            password=password,
            first_name=first_name,
            last_name=last_name,
            admin=admin,
            token=token,
        )
        user = accounts.verify(administrator, user_id=user.pk, notify=False)
        if not user.is_accepted:
            user = accounts.accept(administrator, user_id=user.pk, notify=False)
    return CreatedUser(uuid=user.uuid, token=user_token(user))
