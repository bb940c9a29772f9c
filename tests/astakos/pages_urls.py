"""The project's routes, a way to sign in without a login method, and pages of each access class."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, path

from astakos.models import User
from astakos.web.access import login_required, ready_required, safe_next, terms_required
from astakos.web.sessions import log_in, log_out
from synnefo.urls import urlpatterns as project


def sign_in(request: HttpRequest, uuid: str) -> HttpResponse:
    renew = "renew" in request.POST
    log_in(
        request, User.objects.get(uuid=uuid), module=request.POST.get("module", "local"), renew_token=renew
    )
    return HttpResponse("in")


def sign_out(request: HttpRequest) -> HttpResponse:
    log_out(request)
    return HttpResponse("out")


def judged_next(request: HttpRequest) -> HttpResponse:
    return HttpResponse(safe_next(request, "/default"))


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("seen")


urlpatterns: list[URLPattern | URLResolver] = [
    *project,
    path("test/sign-in/<uuid>", sign_in),
    path("test/sign-out", sign_out),
    path("test/next", judged_next),
    path("test/open", page),
    path("test/login", login_required(page)),
    path("test/terms", terms_required(page)),
    path("test/ready", ready_required(page)),
]
