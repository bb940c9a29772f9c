"""Commissions, by which components charge quota (identity contract 2.5)."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from astakos.api.service import service_of
from astakos.logic import commissions
from astakos.logic.ledger import ProvisionRequest
from synnefo import clock
from synnefo.api import empty_response, json_response, read_object
from synnefo.errors import BadRequest, NotFound
from synnefo.units import INF

_MAX_NAME_LENGTH = 4096
_MAX_SERIALS = 10_000


def list_pending(request: HttpRequest) -> HttpResponse:
    """List the serials of the component's pending commissions."""
    return json_response(commissions.pending(clientkey=service_of(request).name))


def issue(request: HttpRequest) -> HttpResponse:
    """Issue a commission and answer its serial."""
    body = read_object(request)
    serial = commissions.issue(
        clientkey=service_of(request).name,
        name=_name(body),
        provisions=_provisions(body),
        force=_flag(body, "force"),
        auto_accept=_flag(body, "auto_accept"),
    )
    return json_response({"serial": serial}, status=201)


def _name(body: dict[str, Any]) -> str:
    name = body.get("name", "")
    if not isinstance(name, str) or len(name) > _MAX_NAME_LENGTH:
        raise BadRequest(f"'name' must be a string of at most {_MAX_NAME_LENGTH} characters")
    return name


def _flag(body: dict[str, Any], field: str) -> bool:
    value = body.get(field, False)
    if not isinstance(value, bool):
        raise BadRequest(f'"{field}" option should be a boolean.')
    return value


def _provisions(body: dict[str, Any]) -> list[ProvisionRequest]:
    items = body.get("provisions")
    if items is None:
        raise BadRequest("Provisions are missing.")
    if not isinstance(items, list):
        raise BadRequest("'provisions' must be a list")
    if len(items) > commissions.MAX_PROVISIONS:
        raise BadRequest(
            f"'provisions' has {len(items)} items, at most {commissions.MAX_PROVISIONS} are allowed"
        )
    return [_provision(number, item) for number, item in enumerate(items)]


def _provision(number: int, item: Any) -> ProvisionRequest:
    where = f"Malformed provision {number}"
    if not isinstance(item, dict):
        raise BadRequest(f"{where}: not an object")
    for field in ("holder", "source", "resource", "quantity"):
        if field not in item:
            raise BadRequest(f"{where}: '{field}' is missing")
    holder, source, resource, quantity = (item[key] for key in ("holder", "source", "resource", "quantity"))
    if not isinstance(holder, str) or not isinstance(resource, str):
        raise BadRequest(f"{where}: 'holder' and 'resource' must be strings")
    if source is not None and not isinstance(source, str):
        raise BadRequest(f"{where}: 'source' must be a string or null")
    if not isinstance(quantity, int) or isinstance(quantity, bool) or abs(quantity) > INF:
        raise BadRequest(f"{where}: 'quantity' must be an integer of 64 bits")
    return ProvisionRequest(holder, source, resource, quantity)


def show(request: HttpRequest, serial: str) -> HttpResponse:
    """Show one of the component's pending commissions; the 404 has no body."""
    try:
        commission = commissions.show(serial=int(serial), clientkey=service_of(request).name)
    except NotFound:
        return empty_response(404)
    return json_response(
        {
            "serial": commission.serial,
            "issue_time": clock.isoformat(commission.issue_time),
            "name": commission.name,
            "provisions": [provision.as_dict() for provision in commission.provisions],
        }
    )


def act(request: HttpRequest, serial: str) -> HttpResponse:
    """Accept or reject one commission; a second time it is not found."""
    body = read_object(request)
    accept, reject = "accept" in body, "reject" in body
    if accept == reject:
        raise BadRequest("Specify either accept or reject action.")
    serials = [int(serial)]
    outcome = commissions.resolve(
        clientkey=service_of(request).name, accept=serials if accept else [], reject=serials if reject else []
    )
    return empty_response(404 if outcome.failed else 200)


def act_on_many(request: HttpRequest) -> HttpResponse:
    """Accept some commissions and reject others in one transaction; failures are listed."""
    body = read_object(request)
    outcome = commissions.resolve(
        clientkey=service_of(request).name, accept=_serials(body, "accept"), reject=_serials(body, "reject")
    )
    return json_response(
        {
            "accepted": list(outcome.accepted),
            "rejected": list(outcome.rejected),
            "failed": [
                [failure.serial, {failure.name: {"code": failure.code, "message": failure.message}}]
                for failure in outcome.failed
            ],
        }
    )


def _serials(body: dict[str, Any], field: str) -> list[int]:
    value = body.get(field, [])
    if not isinstance(value, list) or not all(isinstance(i, int) and not isinstance(i, bool) for i in value):
        raise BadRequest(f"'{field}' must be a list of serials")
    if len(value) > _MAX_SERIALS:
        raise BadRequest(f"'{field}' has {len(value)} serials, at most {_MAX_SERIALS} are allowed")
    return value
