"""The form of an application for a project (web contract 10, P-04)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from astakos.logic.application_fields import MAX_HOMEPAGE, MAX_NAME, MAX_TEXT
from astakos.logic.project_queries import ProjectDetails
from astakos.logic.resources import PublicResource, public_resources
from astakos.logic.usage import input_hints, resource_titles
from synnefo import clock
from synnefo.units import INF, parse_size

_POWERS = ("", "KiB", "MiB", "GiB", "TiB", "PiB")
_POLICIES = (
    ("auto", gettext_lazy("Accepted automatically")),
    ("moderated", gettext_lazy("The owner accepts")),
)
_CLOSED = ("closed", gettext_lazy("Closed"))
_IDENTITY = ("name", "homepage", "description")


def visible_resources() -> list[PublicResource]:
    """Return the resources that pages show, in the order of the usage page."""
    order = {name: number for number, name in enumerate(resource_titles())}
    return sorted((item for item in public_resources() if item.ui_visible), key=lambda r: order[r.name])


def exact_text(number: int, unit: str | None) -> str:
    """Return a quantity as it is typed in, with the largest unit that loses nothing."""
    if number >= INF:
        return "inf"
    if unit != "bytes":
        return str(number)
    power = 0
    while number and power < len(_POWERS) - 1 and number % 1024 == 0:
        number, power = number // 1024, power + 1
    return f"{number} {_POWERS[power]}".strip()


class QuantityField(forms.CharField):
    """A number, with a binary unit for bytes, or ``inf``."""

    def __init__(self, *, unit: str | None, **options: Any) -> None:
        super().__init__(max_length=40, required=False, **options)
        self.unit = unit

    def to_python(self, value: Any) -> Any:
        """Return the number that was typed in, ``None`` for nothing."""
        text = super().to_python(value)
        if not text:
            return None
        words = {"unlimited", _("Unlimited").lower()}
        try:
            return parse_size("inf" if text.lower() in words else text, suffixes=self.unit == "bytes")
        except ValueError:
            raise ValidationError(
                _("Enter a number such as 20, with a unit such as 20 GiB for sizes, or inf.")
            ) from None

    def run_validators(self, value: Any) -> None:
        """Numbers have no length to check; the text had."""


class ApplicationForm(forms.Form):
    """What a project is to be.

    Without *project* it is a new one; otherwise only what differs from *project* is asked for.
    """

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=MAX_NAME,
        help_text=gettext_lazy("In the form of a domain name, such as genome.lab.example.org."),
    )
    homepage = forms.CharField(label=gettext_lazy("Homepage"), max_length=MAX_HOMEPAGE, required=False)
    description = forms.CharField(
        label=gettext_lazy("Description"),
        max_length=MAX_TEXT,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    comments = forms.CharField(
        label=gettext_lazy("Comments"),
        max_length=MAX_TEXT,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("For those who decide; nobody else sees them."),
    )
    start_date = forms.DateField(
        label=gettext_lazy("Start date"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=gettext_lazy("A hint for those who decide; the project starts when it is approved."),
    )
    end_date = forms.DateField(
        label=gettext_lazy("End date"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    member_join_policy = forms.ChoiceField(label=gettext_lazy("Joining"))
    member_leave_policy = forms.ChoiceField(label=gettext_lazy("Leaving"))
    limit_on_members_number = QuantityField(unit=None, label=gettext_lazy("Members at most"))
    private = forms.BooleanField(
        label=gettext_lazy("Private: only members and the owner see the project"), required=False
    )

    def __init__(
        self, data: Mapping[str, Any] | None = None, *, project: ProjectDetails | None = None
    ) -> None:
        self.project = project
        super().__init__(data, initial=_initial(project))
        choices = ", ".join(
            _("Unlimited") if str(choice) == "Unlimited" else str(choice)
            for choice in settings.ASTAKOS_PROJECT_MEMBERS_LIMIT_CHOICES
        )
        self.fields["limit_on_members_number"].help_text = _("For example: %(choices)s.") % {
            "choices": choices
        }
        for name, now in (
            ("member_join_policy", project.join_policy if project else ""),
            ("member_leave_policy", project.leave_policy if project else ""),
        ):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            # Closed is not offered, but a project that is closed can stay so.
            field.choices = [*_POLICIES, *([_CLOSED] if now == "closed" else [])]
        if project is not None:
            del self.fields["start_date"]
            for name in _IDENTITY if project.system_project else ():
                del self.fields[name]
        self.resources = visible_resources()
        for resource in self.resources:
            self._add_resource(resource)

    def _add_resource(self, resource: PublicResource) -> None:
        title, hints = resource_titles()[resource.name], input_hints(resource.name)
        attributes = {"placeholder": hints.placeholder} if hints.placeholder else {}
        for suffix, label, hint in (
            ("p_uplimit", _("%(resource)s, in total"), hints.total),
            ("m_uplimit", _("%(resource)s, per member"), hints.each),
        ):
            self.fields[f"{resource.name}_{suffix}"] = QuantityField(
                unit=resource.unit,
                label=label % {"resource": title},
                help_text=hint,
                widget=forms.TextInput(attrs=dict(attributes)),
            )

    def general_fields(self) -> list[forms.BoundField]:
        """Return the fields above the resources."""
        return [field for field in self.visible_fields() if not field.name.endswith("_uplimit")]

    def resource_fields(self) -> list[tuple[str, forms.BoundField, forms.BoundField]]:
        """Return title, total and per-member field of every resource."""
        titles = resource_titles()
        return [
            (titles[item.name], self[f"{item.name}_p_uplimit"], self[f"{item.name}_m_uplimit"])
            for item in self.resources
        ]

    def clean_end_date(self) -> dt.date:
        """Refuse days that have passed; an end that stays as it is does not matter."""
        day: dt.date = self.cleaned_data["end_date"]
        if self.project is not None and day == self.project.end_date.date():
            return day
        if day < clock.now().date():
            raise ValidationError(_("The end date has passed."))
        return day

    def clean(self) -> dict[str, Any]:
        """Check that fields agree with each other."""
        values: dict[str, Any] = super().clean() or {}
        start, end = values.get("start_date"), values.get("end_date")
        if start and end and start >= end:
            self.add_error("end_date", _("The project must end after it starts."))
        for resource in self.resources:
            total, each = f"{resource.name}_p_uplimit", f"{resource.name}_m_uplimit"
            if values.get(each) is not None and values.get(total) is None:
                if total not in self.errors:
                    self.add_error(total, _("Say how much all members together may use."))
            elif values.get(total) is not None and (values.get(each) or 0) > values[total]:
                self.add_error(each, _("A member cannot have more than the whole project."))
        return values

    def warnings(self) -> list[str]:
        """Return what is allowed but may not be meant."""
        values, found = self.cleaned_data, []
        members = values.get("limit_on_members_number")
        for resource in self.resources:
            total = values.get(f"{resource.name}_p_uplimit")
            each = values.get(f"{resource.name}_m_uplimit") or 0
            if total is not None and members is not None and members < INF and each * members > total:
                text = _("%(resource)s: there is not enough for every member to use all that is allowed.")
                found.append(text % {"resource": resource_titles()[resource.name]})
        return found

    def body(self) -> dict[str, Any]:
        """Return the application as the API takes it: of a change, only what differs."""
        values = self.cleaned_data
        limit = values.get("limit_on_members_number")
        wanted: dict[str, Any] = {
            "name": values.get("name"),
            "homepage": values.get("homepage"),
            "description": values.get("description"),
            "end_date": self._end(values["end_date"]),
            "join_policy": values["member_join_policy"],
            "leave_policy": values["member_leave_policy"],
            "max_members": INF if limit is None else limit,
            "private": values["private"],
        }
        if self.project is not None:
            wanted = {name: value for name, value in wanted.items() if value != self._current(name)}
        if values.get("start_date"):
            wanted["start_date"] = _midnight(values["start_date"])
        if values.get("comments"):
            wanted["comments"] = values["comments"]
        wanted["resources"] = self._grants()
        return wanted

    def _end(self, day: dt.date) -> str:
        """Return the moment of an end: as it is when the day stays, the last second of today, or midnight."""
        if self.project is not None and day == self.project.end_date.date():
            return self.project.end_date.isoformat()
        midnight = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
        if day > clock.now().date():
            return midnight.isoformat()
        return (midnight + dt.timedelta(days=1, seconds=-1)).isoformat()

    def _current(self, name: str) -> Any:
        assert self.project is not None
        if name == "end_date":
            return self.project.end_date.isoformat()
        if self.project.system_project and name in _IDENTITY:
            return None
        return getattr(self.project, name)

    def _grants(self) -> dict[str, dict[str, int]]:
        current = {row.resource: row for row in self.project.resources} if self.project else {}
        grants = {}
        for resource in self.resources:
            total = self.cleaned_data.get(f"{resource.name}_p_uplimit")
            if total is None:
                continue
            each = self.cleaned_data.get(f"{resource.name}_m_uplimit") or 0
            now = current.get(resource.name)
            if now is None or (now.project_capacity, now.member_capacity) != (total, each):
                grants[resource.name] = {"project_capacity": total, "member_capacity": each}
        return grants


def _midnight(day: dt.date) -> str:
    return dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC).isoformat()


def _initial(project: ProjectDetails | None) -> dict[str, Any]:
    if project is None:
        return {"member_join_policy": "moderated", "member_leave_policy": "auto"}
    units = {item.name: item.unit for item in public_resources()}
    values: dict[str, Any] = {
        "name": project.name,
        "homepage": project.homepage,
        "description": project.description,
        "end_date": project.end_date.date(),
        "member_join_policy": project.join_policy,
        "member_leave_policy": project.leave_policy,
        "limit_on_members_number": exact_text(project.max_members, None),
        "private": project.private,
    }
    for row in project.resources:
        unit = units.get(row.resource)
        values[f"{row.resource}_p_uplimit"] = exact_text(row.project_capacity, unit)
        values[f"{row.resource}_m_uplimit"] = exact_text(row.member_capacity, unit)
    return values
