"""Writing to the support staff (web contract 8, A-13)."""

from __future__ import annotations

import json

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, re_path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from astakos.logic import feedback
from astakos.models import User
from astakos.web.access import terms_required, user_of
from astakos.web.form_pages import form_page, submit
from astakos.web.login_flow import see_other
from synnefo import __version__
from synnefo.errors import ServiceUnavailable, SynnefoError

_MAX_PAGE_LENGTH = 500
_MAX_AGENT_LENGTH = 500


class FeedbackForm(forms.Form):
    """A message, and what helps to understand it."""

    feedback_msg = forms.CharField(
        label=gettext_lazy("Your message"),
        max_length=feedback.MAX_MESSAGE_LENGTH,
        widget=forms.Textarea(attrs={"rows": 8}),
    )
    feedback_data = forms.CharField(
        required=False, max_length=feedback.MAX_DATA_LENGTH, widget=forms.HiddenInput
    )


@require_http_methods(["GET", "HEAD", "POST"])
@terms_required
def send(request: HttpRequest) -> HttpResponse:
    """Show the form, or mail what was written; when the mail server is down the text stays."""
    user = user_of(request)
    data = _circumstances(request)
    form = FeedbackForm(request.POST if request.method == "POST" else None, initial={"feedback_data": data})
    error: SynnefoError | None = None
    if request.method == "POST":
        data = request.POST.get("feedback_data", "")
        result = submit(form, lambda: _send(form, user))
        if result is True:
            messages.success(request, _("Thank you! Your message was sent."))
            return see_other(reverse("astakos-landing"))
        error = result if isinstance(result, SynnefoError) else None
    return form_page(request, "astakos/feedback.html", form, error=error, data=data)


def _send(form: FeedbackForm, user: User) -> bool:
    values = form.cleaned_data
    if not feedback.send(user, message=values["feedback_msg"], data=values["feedback_data"]):
        raise ServiceUnavailable(_("The message could not be sent. Try again in a few minutes."))
    return True


def _circumstances(request: HttpRequest) -> str:
    """Return where the user comes from and with what, which the page shows before it is sent."""
    return json.dumps(
        {
            "page": request.GET.get("from", "")[:_MAX_PAGE_LENGTH],
            "browser": request.headers.get("User-Agent", "")[:_MAX_AGENT_LENGTH],
            "version": __version__,
        },
        ensure_ascii=False,
    )


urlpatterns: list[URLPattern] = [re_path(r"^ui/feedback/?$", send, name="astakos-feedback")]
