"""Terms of use (web contract 8, A-07)."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, re_path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from astakos.logic import terms
from astakos.models import User
from astakos.web.access import safe_next, to_login
from astakos.web.form_pages import form_page, submit
from astakos.web.login import form_targets, success_url
from astakos.web.login_flow import see_other
from astakos.web.sessions import page_user
from synnefo.content_security import with_sources
from synnefo.credentials import Credentials
from synnefo.errors import SynnefoError

_MAX_ID = 2**63 - 1


class AgreementForm(forms.Form):
    """The user's agreement to the version that was shown."""

    has_signed_terms = forms.BooleanField(label=gettext_lazy("I have read the terms of use and accept them"))
    terms_id = forms.IntegerField(min_value=1, max_value=_MAX_ID, widget=forms.HiddenInput)
    next = forms.CharField(required=False, max_length=16_000, widget=forms.HiddenInput)


@require_http_methods(["GET", "HEAD", "POST"])
@with_sources(form_action=form_targets)
def show(request: HttpRequest, terms_id: str = "") -> HttpResponse:
    """Show the terms to everybody, and let users who have not signed those in force do so."""
    user = page_user(request)
    if request.method == "POST" and user is None:
        return to_login(request)
    if terms.current_id() is None:
        messages.error(request, _("There are no terms of use."))
        return see_other(reverse("astakos-index"))
    document = terms.show(terms_id=min(int(terms_id), _MAX_ID) if terms_id else None)
    start = {"terms_id": document.version.id, "next": safe_next(request, "")}
    form = AgreementForm(request.POST if request.method == "POST" else None, initial=start)
    error: SynnefoError | None = None
    if request.method == "POST" and user is not None:
        result = submit(form, lambda: _sign(form, user))
        if isinstance(result, User):
            return see_other(safe_next(request, success_url()))
        error = result
    may_sign = user is not None and document.is_current and terms.unsigned_terms(user)
    return form_page(request, "astakos/terms.html", form, error=error, document=document, may_sign=may_sign)


def _sign(form: AgreementForm, user: User) -> User:
    return terms.sign(Credentials(user_id=user.uuid), user_id=user.pk, terms_id=form.cleaned_data["terms_id"])


urlpatterns: list[URLPattern] = [
    re_path(r"^ui/approval_terms/?$", show, name="astakos-terms"),
    re_path(r"^ui/approval_terms/(?P<terms_id>[0-9]{1,30})/?$", show, name="astakos-terms-version"),
]
