"""Components: registration, their tokens, removal (identity contract 4.7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from astakos.logic import services
from astakos.logic.catalog import forget_cached_catalog
from astakos.logic.services import ServiceDefinition
from astakos.logic.tokens import check_chosen_token, component_token, set_component_token, unused_token
from astakos.models import Component
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one
from synnefo.errors import BadRequest, Conflict, NotFound

MAX_URL_LENGTH = 1024


@dataclass(frozen=True, slots=True)
class ComponentChange:
    """A component after a change; ``token`` is the clear token when it changed."""

    component: Component
    token: str | None = None


def find(text: str) -> Component:
    """Return the component with this id or name; raises ``NotFound``."""
    by_id = (
        Component.objects.filter(pk=int(text))
        if text.isascii() and text.isdigit() and len(text) < 19
        else None
    )
    found = (by_id.first() if by_id is not None else None) or Component.objects.filter(name=text).first()
    if found is None:
        raise NotFound(
            f"Component with ID {text} does not exist. Use component-list to find out available IDs."
        )
    return found


def check_url(url: str | None, what: str) -> None:
    """Raise ``BadRequest`` unless *url* is absent or an absolute http(s) address."""
    if url is None:
        return
    try:
        parts = urlsplit(url)
    except ValueError:
        raise BadRequest(f"{what} '{url[:100]}' is not a URL") from None
    if parts.scheme not in ("http", "https") or not parts.netloc or len(url) > MAX_URL_LENGTH:
        raise BadRequest(f"{what} '{url[:100]}' is not an absolute http or https URL")


def add(
    credentials: Credentials, *, name: str, base_url: str | None = None, ui_url: str | None = None
) -> ComponentChange:
    """Create a component and its token; raises ``Conflict`` for a known name, ``BadRequest``."""
    if not name or len(name) > 255 or not name.isprintable():
        raise BadRequest("A component name has 1 to 255 printable characters")
    check_url(base_url, "Base URL")
    check_url(ui_url, "UI URL")
    with atomic():
        if Component.objects.filter(name=name).exists():
            raise Conflict(f"Component '{name}' already exists")
        token = unused_token()
        component = Component(name=name, base_url=base_url, url=ui_url)
        set_component_token(component, token)
        component.save()
        forget_cached_catalog()
        audit.record(credentials, "component.add", f"component:{name}", base_url=base_url, ui_url=ui_url)
    return ComponentChange(component, token)


def modify(
    credentials: Credentials,
    *,
    component_id: int,
    base_url: str | None = None,
    ui_url: str | None = None,
    token: str | None = None,
    renew_token: bool = False,
    purge_services: bool = False,
) -> ComponentChange:
    """Change a component; *token* sets one, *renew_token* makes one, *purge_services* drops its services."""
    check_url(base_url, "Base URL")
    check_url(ui_url, "UI URL")
    if token is not None and renew_token:
        raise BadRequest("Give either a token or ask for a new one, not both")
    with atomic():
        component = lock_one(Component.objects.filter(pk=component_id))
        if base_url is not None:
            component.base_url = base_url
        if ui_url is not None:
            component.url = ui_url
        new_token = unused_token() if renew_token else token
        if token is not None:
            check_chosen_token(token)
        if new_token is not None:
            set_component_token(component, new_token)
        component.save()
        if purge_services:
            component.services.all().delete()
        forget_cached_catalog()
        audit.record(
            credentials,
            "component.modify",
            f"component:{component.name}",
            base_url=base_url,
            ui_url=ui_url,
            renewed=new_token is not None,
            purged=purge_services,
        )
    return ComponentChange(component, new_token)


def remove(credentials: Credentials, *, component_id: int) -> None:
    """Delete a component with its services and endpoints; resources and holdings stay."""
    with atomic():
        component = lock_one(Component.objects.filter(pk=component_id))
        audit.record(credentials, "component.remove", f"component:{component.name}")
        component.delete()
        forget_cached_catalog()


def register(
    credentials: Credentials,
    *,
    name: str,
    base_url: str,
    ui_url: str,
    definitions: Sequence[ServiceDefinition],
) -> str:
    """Add or update a component and its public services in one transaction; return its token.

    Repeating it keeps ids and token.
    """
    with atomic():
        existing = Component.objects.filter(name=name).first()
        if existing is None:
            component = add(credentials, name=name, base_url=base_url, ui_url=ui_url).component
        else:
            component = modify(
                credentials, component_id=existing.pk, base_url=base_url, ui_url=ui_url
            ).component
        for definition in definitions:
            if definition.public:
                services.register(component, services.with_public_urls(definition, base_url=base_url))
        forget_cached_catalog()
    return component_token(component)
