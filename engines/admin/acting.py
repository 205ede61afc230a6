"""How an operator's click becomes an operation, and refusals become messages."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

from django.contrib import messages
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRedirect
from unfold.decorators import action

from engines.models import Instance, Volume
from tenants import access
from tenants.errors import PortalError
from tenants.models import Membership, User
from tenants.read_only import ReadOnlyAdmin, change_permission

MAX_REFUSALS_SHOWN = 10
_Row = TypeVar("_Row", Instance, Volume)


def operate(request: HttpRequest, rows: Iterable[_Row], operation: Callable[[_Row, Membership], object], done: str) -> None:
    """Apply the operation to each row as operator of its tenant; tell what was done, and what was refused and why."""
    count, refusals = 0, []
    for row in rows:
        permission = change_permission(row._meta.label_lower)  # noqa: SLF001 - Django's public name for it
        try:
            operation(row, access.as_operator(cast("User", request.user), row.tenant, permission=permission))
        except PortalError as refusal:
            refusals.append(f"{row.tenant} / {row}: {refusal}")
        else:
            count += 1
    if count:
        messages.success(request, f"{done}: {count}")
    for sentence in refusals[:MAX_REFUSALS_SHOWN]:
        messages.warning(request, sentence)
    if len(refusals) > MAX_REFUSALS_SHOWN:
        messages.warning(request, _("%(count)d more were refused.") % {"count": len(refusals) - MAX_REFUSALS_SHOWN})


def back_to(row: Model) -> HttpResponse:
    """Show the row's page again, from within a dialog."""
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}_change"  # noqa: SLF001 - Django's public name for it
    return HttpResponseClientRedirect(reverse(name, args=[row.pk]))


def detail_action(
    name: str, *, title: Any, icon: str, ask: Any, consequence: Any, run: Callable[[HttpRequest, Any], object], **more: Any
) -> Any:
    """Make a button of a row's page that asks with the consequence named, and then posts. `name` is the attribute's own."""

    def act(model_admin: ReadOnlyAdmin, request: HttpRequest, _form: object, object_id: str) -> HttpResponse:
        row = model_admin.get_object(request, object_id)
        if row is None:
            raise Http404
        run(request, row)
        return back_to(row)

    act.__name__ = name
    dialog = {"title": ask, "description": consequence, "form_submit_text": title, "form_class": None}
    return action(description=title, icon=icon, url_path=name.replace("_", "-"), dialog=dialog, **more)(act)
