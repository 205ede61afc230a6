"""Where a look begins: a button on a person's page in the console, which asks why."""

from typing import Any, cast

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_htmx.http import HttpResponseClientRedirect
from unfold.decorators import action
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextInputWidget

from tenants.console.audited import AuditedAdmin
from tenants.errors import PortalError
from tenants.impersonation import looking
from tenants.impersonation.operations import REASON_LENGTH, start_looking
from tenants.models import User


class ReasonForm(BaseDialogForm):
    """Why somebody looks as somebody else."""

    reason = forms.CharField(
        label=_("Why"), max_length=REASON_LENGTH, widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"})
    )


class LookingAdmin(AuditedAdmin):
    """The button on a person's page."""

    actions_detail = ("look_as",)

    def has_look_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Tell whether this operator may look as others."""
        return looking.may_look(cast("User", request.user))

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Show the button where it can do something."""
        person = User.objects.filter(pk=object_id).first()
        offered: list[Any] = super().get_actions_detail(request, object_id)
        return offered if person is not None and looking.can_be_looked_as(person) else []

    @action(
        description=_("See what they see"),
        icon="visibility",
        permissions=["look"],
        url_path="look",
        dialog={
            "title": _("See the portal as this person sees it?"),
            "description": _(
                "For 30 minutes, without changing anything and without entering engines, files and logs. The beginning, the end "
                "and your reason are in the audit log, which the admins of their team can read."
            ),
            "form_class": ReasonForm,
            "form_submit_text": _("Look"),
        },
    )
    def look_as(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        """Begin, and go to the person's first page."""
        person = self.get_object(request, object_id)
        if person is None:
            raise Http404
        try:
            start_looking(
                operator=cast("User", request.user),
                person=person,
                reason=form.cleaned_data["reason"],
                session=request.session,
                now=timezone.now(),
            )
        except PortalError as refusal:
            messages.error(request, str(refusal))
            return HttpResponseClientRedirect(reverse("admin:tenants_user_change", args=[person.pk]))
        return HttpResponseClientRedirect(reverse("home"))
