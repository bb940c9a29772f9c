"""SAML 2.0 service provider: requests, signed assertions that are good once, single logout (identity 4.5).

An assertion counts only when its signature is good, it answers a request of ours, it is for us, it is in
time, and it was never used before. Identifiers carry the identity provider's name, so that no provider can
speak for the people of another.
"""

from __future__ import annotations

import base64
import binascii
import copy
import datetime as dt
import functools
import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from defusedxml import DefusedXmlException, ElementTree
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError
from django.utils.translation import gettext as _

from astakos.logic.auth_providers import MAX_IDENTIFIER_LENGTH
from astakos.logic.external_identity import (
    ExternalIdentity,
    forced_fields,
    kept_attributes,
    mapped_fields,
    text_of,
)
from astakos.models import SamlMessage
from synnefo import clock
from synnefo.db.locks import atomic
from synnefo.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from saml2.client import Saml2Client
    from saml2.config import SPConfig

log = logging.getLogger("astakos.saml")

_PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
#: How long somebody may take to log in at the identity provider.
REQUEST_LIFETIME = dt.timedelta(minutes=30)
MAX_MESSAGE_LENGTH = 256 << 10
_REQUEST = "request:"
_REFUSED = "The answer of your institution was not accepted. Please try again."


@dataclass(frozen=True, slots=True)
class IdentityProvider:
    """An institution that people may choose."""

    entity_id: str
    name: str


@dataclass(frozen=True, slots=True)
class SamlRequest:
    """A login request; the browser goes to ``url`` and its session must keep ``id``."""

    id: str
    url: str


@dataclass(frozen=True, slots=True)
class SamlLogin:
    """An accepted assertion; ``request_id`` must be that of the browser's session."""

    identity: ExternalIdentity
    request_id: str
    entity_id: str
    name_id: str
    session_index: str


@dataclass(frozen=True, slots=True)
class SamlLogout:
    """An identity provider's wish that somebody's sessions end, and where to confirm it."""

    entity_id: str
    name_id: str
    session_indexes: tuple[str, ...]
    answer_url: str


# -- configuration -----------------------------------------------------------------------------------------


def url_of(page: str) -> str:
    """Return the address of one of our SAML pages."""
    return f"{settings.ASTAKOS_BASE_URL.rstrip('/')}/ui/login/saml/{page}"


def entity_id() -> str:
    """Return the name of this service towards identity providers."""
    return str(settings.ASTAKOS_SAML_ENTITY_ID or url_of("metadata"))


def _configuration() -> SPConfig:
    """Return pysaml2's configuration; raises ``ImproperlyConfigured`` when something is missing."""
    files = tuple(str(path) for path in settings.ASTAKOS_SAML_METADATA_FILES)
    try:
        stamps = tuple(Path(path).stat().st_mtime_ns for path in files)
    except OSError as error:
        raise ImproperlyConfigured(f"ASTAKOS_SAML_METADATA_FILES: {error}") from error
    if not files:
        raise ImproperlyConfigured("the login method 'saml' needs ASTAKOS_SAML_METADATA_FILES")
    own_files = (settings.ASTAKOS_SAML_KEY_FILE, settings.ASTAKOS_SAML_CERT_FILE)
    if not Path(settings.ASTAKOS_SAML_XMLSEC_PROGRAM).exists():
        raise ImproperlyConfigured(
            f"ASTAKOS_SAML_XMLSEC_PROGRAM: no {settings.ASTAKOS_SAML_XMLSEC_PROGRAM}; install xmlsec1"
        )
    return _loaded_configuration(files, stamps, own_files, entity_id(), settings.ASTAKOS_SAML_CLOCK_SKEW)


@functools.lru_cache(maxsize=4)
def _loaded_configuration(
    files: tuple[str, ...], _stamps: tuple[int, ...], own_files: tuple[str, str], name: str, skew: int
) -> SPConfig:
    try:
        from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT
        from saml2.config import SPConfig
        from saml2.s_utils import UnknownSystemEntity  # noqa: F401  (proves that the library is whole)
        from saml2.xmldsig import DIGEST_SHA256, SIG_RSA_SHA256
    except ImportError as error:
        raise ImproperlyConfigured(
            "the login method 'saml' needs pysaml2: pip install 'synnefo[saml]'"
        ) from error
    # At its usual level it writes who logs in.
    logging.getLogger("saml2").setLevel(logging.WARNING)
    key_file, cert_file = own_files
    signs = bool(key_file and cert_file)
    options: dict[str, Any] = {
        "entityid": name,
        "xmlsec_binary": settings.ASTAKOS_SAML_XMLSEC_PROGRAM,
        "accepted_time_diff": skew,
        "allow_unknown_attributes": True,
        "signing_algorithm": SIG_RSA_SHA256,
        "digest_algorithm": DIGEST_SHA256,
        "metadata": {"local": list(files)},
        "service": {
            "sp": {
                "endpoints": {
                    "assertion_consumer_service": [(url_of("acs"), BINDING_HTTP_POST)],
                    "single_logout_service": [(url_of("sls"), BINDING_HTTP_REDIRECT)],
                },
                "name_id_format": [_PERSISTENT],
                "allow_unsolicited": False,
                "authn_requests_signed": signs,
                "logout_requests_signed": signs,
                "want_assertions_signed": True,
                "want_response_signed": False,
            }
        },
    }
    if signs:
        options |= {"key_file": key_file, "cert_file": cert_file}
    configuration: SPConfig = SPConfig().load(options)
    return configuration


def _client() -> Saml2Client:
    """Return a client that knows of nobody yet; it has the key in common with those before it."""
    configuration = _configuration()
    from saml2.population import Population

    own_files = filter(None, (settings.ASTAKOS_SAML_KEY_FILE, settings.ASTAKOS_SAML_CERT_FILE))
    stamps = tuple(Path(path).stat().st_mtime_ns for path in own_files)
    client = copy.copy(_first_client(configuration, stamps))
    client.users, client.state = Population(), {}
    return client


@functools.lru_cache(maxsize=4)
def _first_client(configuration: SPConfig, _stamps: tuple[int, ...]) -> Saml2Client:
    """Return a client to copy: a key is checked when it is read, which takes longer than all of a login."""
    from saml2.client import Saml2Client

    return Saml2Client(config=configuration)


def metadata() -> str:
    """Return what identity providers must know of this service."""
    configuration = _configuration()
    from saml2.metadata import entity_descriptor

    return f'<?xml version="1.0" encoding="UTF-8"?>\n{entity_descriptor(configuration)}\n'


def identity_providers() -> list[IdentityProvider]:
    """Return the identity providers of the metadata files, by name."""
    known = _configuration().metadata
    found = [
        IdentityProvider(entity, known.name(entity) or entity) for entity in known.with_descriptor("idpsso")
    ]
    return sorted(found, key=lambda item: (item.name.lower(), item.entity_id))


def _check_known(wanted: str) -> None:
    if wanted not in {item.entity_id for item in identity_providers()}:
        raise NotFound(_("This institution is not known here"))


# -- logging in --------------------------------------------------------------------------------------------


def begin(*, provider: str) -> SamlRequest:
    """Return a login request for the identity provider *provider*; raises ``NotFound`` for unknown ones."""
    _check_known(provider)
    client = _client()
    from saml2 import BINDING_HTTP_REDIRECT

    request_id, answer = client.prepare_for_authenticate(
        entityid=provider, binding=BINDING_HTTP_REDIRECT, nameid_format=_PERSISTENT
    )
    now = clock.now()
    SamlMessage.objects.filter(expires__lt=now).delete()
    SamlMessage.objects.create(message_id=f"{_REQUEST}{request_id}", expires=now + REQUEST_LIFETIME)
    return SamlRequest(str(request_id), str(dict(answer["headers"])["Location"]))


def accept_response(*, response: str) -> SamlLogin:
    """Return who logged in, from the response that an identity provider had the browser post.

    Uses the request and the assertion up. Raises ``BadRequest`` for everything that must not be believed.
    """
    request_id = _use_request(_in_response_to(response))
    client = _client()
    from saml2 import BINDING_HTTP_POST

    try:
        answer = client.parse_authn_request_response(
            response, BINDING_HTTP_POST, outstanding={request_id: "/"}
        )
    except Exception as error:  # pysaml2 raises plain Exception for some forgeries; all is refused
        log.warning("a SAML response was refused: %s: %s", type(error).__name__, str(error)[:300])
        raise BadRequest(_(_REFUSED)) from error
    if answer is None or answer.assertion is None or answer.in_response_to != request_id:
        raise BadRequest(_(_REFUSED))
    assertion = answer.assertion
    if len(answer.assertions) != 1 or not assertion.signature or not assertion.conditions:
        raise BadRequest(_(_REFUSED))
    if not assertion.conditions.audience_restriction or not _is_addressed_to_us(assertion, request_id):
        raise BadRequest(_(_REFUSED))
    _use_assertion(str(answer.issuer()), str(assertion.id), _end_of(assertion))
    name_id = answer.name_id
    statement = assertion.authn_statement[0] if assertion.authn_statement else None
    return SamlLogin(
        identity=_identity(str(answer.issuer()), name_id, answer.ava or {}),
        request_id=request_id,
        entity_id=str(answer.issuer()),
        name_id=str(name_id) if name_id is not None else "",
        session_index=str(getattr(statement, "session_index", "") or ""),
    )


def _is_addressed_to_us(assertion: Any, request_id: str) -> bool:
    """Tell whether the assertion may be shown at our endpoint; pysaml2 leaves this to its caller."""
    details = [item.subject_confirmation_data for item in assertion.subject.subject_confirmation]
    return bool(details) and all(
        item is not None and item.recipient == url_of("acs") and item.in_response_to in (None, request_id)
        for item in details
    )


def _decoded(message: str) -> bytes:
    if len(message) > MAX_MESSAGE_LENGTH:
        raise BadRequest(_(_REFUSED))
    try:
        return base64.b64decode(message, validate=False)
    except (ValueError, binascii.Error) as error:
        raise BadRequest(_(_REFUSED)) from error


def _in_response_to(response: str) -> str:
    """Return which request a response claims to answer; nothing of it is believed yet."""
    try:
        root = ElementTree.fromstring(_decoded(response))
    except (ElementTree.ParseError, DefusedXmlException, ValueError) as error:
        raise BadRequest(_(_REFUSED)) from error
    return str(root.get("InResponseTo") or "")[:200]


def _use_request(request_id: str) -> str:
    """Use a request up; raises ``BadRequest`` when we never made it or it was answered before."""
    message_id = f"{_REQUEST}{request_id}"
    used, _rows = SamlMessage.objects.filter(message_id=message_id, expires__gte=clock.now()).delete()
    if not request_id or not used:
        raise BadRequest(_(_REFUSED))
    return request_id


def _end_of(assertion: Any) -> dt.datetime:
    """Return until when an assertion could be shown again."""
    text = assertion.conditions.not_on_or_after
    try:
        end = dt.datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None
    except ValueError:
        end = None
    if end is None:
        return clock.now() + dt.timedelta(days=365)
    return end + dt.timedelta(seconds=settings.ASTAKOS_SAML_CLOCK_SKEW + 60)


def _use_assertion(issuer: str, assertion_id: str, expires: dt.datetime) -> None:
    """Note that an assertion was used; raises ``BadRequest`` the second time."""
    digest = hashlib.sha256(f"{issuer}\0{assertion_id}".encode()).hexdigest()
    try:
        with atomic():
            SamlMessage.objects.create(message_id=f"assertion:{digest}", expires=expires)
    except IntegrityError as error:
        log.warning("a SAML assertion of %s was shown twice", issuer)
        raise BadRequest(_(_REFUSED)) from error


def _identity(issuer: str, name_id: Any, attributes: Mapping[str, Any]) -> ExternalIdentity:
    wanted = settings.ASTAKOS_SAML_IDENTIFIER_ATTRIBUTE
    if wanted:
        value = text_of(wanted, attributes.get(wanted))
    else:
        value = str(name_id.text or "") if name_id is not None and name_id.format == _PERSISTENT else ""
    if not value:
        raise BadRequest(
            _("Your institution sent no permanent identifier. Please ask its support to release one to us.")
        )
    identifier = f"{issuer}!{value}"
    if len(identifier) > MAX_IDENTIFIER_LENGTH:
        identifier = f"sha256:{hashlib.sha256(identifier.encode()).hexdigest()}"
    fields = mapped_fields("saml", attributes)
    return ExternalIdentity(
        module="saml",
        affiliation=issuer,
        info={
            "email": fields["email"],
            "name": f"{fields['first_name']} {fields['last_name']}".strip(),
            "name_id": str(name_id.text or "") if name_id is not None else "",
            "entity_id": issuer,
            **kept_attributes("saml", attributes),
        },
        forced=forced_fields("saml"),
        identifier=identifier,
        email=fields["email"],
        first_name=fields["first_name"],
        last_name=fields["last_name"],
    )


# -- logging out -------------------------------------------------------------------------------------------


def logout_url(*, provider: str, name_id: str, session_index: str) -> str | None:
    """Return where to send a browser so that the identity provider ends its session; ``None`` if nowhere."""
    client = _client()
    from saml2 import BINDING_HTTP_REDIRECT
    from saml2.mdstore import locations
    from saml2.s_utils import UnknownSystemEntity
    from saml2.saml import name_id_from_string

    subject = name_id_from_string(name_id)
    try:
        services = client.metadata.single_logout_service(provider, BINDING_HTTP_REDIRECT, "idpsso")
    except UnknownSystemEntity:
        return None
    targets = list(locations(services or []))
    if not targets or subject is None:
        return None
    _id, message = client.create_logout_request(
        targets[0],
        provider,
        name_id=subject,
        session_indexes=[session_index] if session_index else None,
        sign=False,
    )
    answer = client.apply_binding(
        BINDING_HTTP_REDIRECT, str(message), targets[0], sign=client.logout_requests_signed
    )
    return str(dict(answer["headers"])["Location"])


def accept_logout_request(*, query: Mapping[str, str]) -> SamlLogout:
    """Return whose sessions an identity provider ends; only signed requests count (redirect binding).

    Raises ``BadRequest`` for everything that must not be believed.
    """
    client = _client()
    from saml2 import BINDING_HTTP_REDIRECT

    message = query.get("SAMLRequest", "")
    if not message or len(message) > MAX_MESSAGE_LENGTH:
        raise BadRequest(_(_REFUSED))
    try:
        request = client.parse_logout_request(message, BINDING_HTTP_REDIRECT)
        issuer = str(request.message.issuer.text)
        _check_known(issuer)
        _check_query_signature(client, issuer, query)
        _use_assertion(issuer, str(request.message.id), clock.now() + dt.timedelta(days=1))
        answer = client.create_logout_response(request.message, [BINDING_HTTP_REDIRECT], sign=False)
        target = client.response_args(request.message, [BINDING_HTTP_REDIRECT])["destination"]
        sent = client.apply_binding(
            BINDING_HTTP_REDIRECT,
            str(answer),
            target,
            query.get("RelayState", "")[:1024],
            response=True,
            sign=client.logout_requests_signed,
        )
    except BadRequest:
        raise
    except Exception as error:  # as for responses: whatever the library does not accept is refused
        log.warning("a SAML logout request was refused: %s: %s", type(error).__name__, str(error)[:300])
        raise BadRequest(_(_REFUSED)) from error
    return SamlLogout(
        entity_id=issuer,
        name_id=str(request.message.name_id.text or "") if request.message.name_id is not None else "",
        session_indexes=tuple(str(item.text) for item in request.message.session_index),
        answer_url=str(dict(sent["headers"])["Location"]),
    )


def _check_query_signature(client: Saml2Client, issuer: str, query: Mapping[str, str]) -> None:
    """Raise ``BadRequest`` unless one of the provider's keys signed the query."""
    from saml2.sigver import verify_redirect_signature

    signed = {
        name: query[name] for name in ("SAMLRequest", "RelayState", "SigAlg", "Signature") if name in query
    }
    certificates = client.metadata.certs(issuer, "idpsso", "signing")
    if "Signature" not in signed or not any(
        verify_redirect_signature(signed, client.sec.sec_backend, cert=text) for _name, text in certificates
    ):
        log.warning("a SAML logout request of %s is not signed: %s", issuer, urlencode(signed)[:80])
        raise BadRequest(_(_REFUSED))
