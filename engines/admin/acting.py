"""How an operator's click becomes an operation, perhaps after a question, and refusals become messages."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin

from engines.admin.words import STATE_WORDS
from engines.models import Instance, Volume
from tenants import access
from tenants.console.pages import console_page
from tenants.errors import PortalError
from tenants.models import Membership, User
from tenants.read_only import change_permission

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


def ask_about(
    model_admin: ModelAdmin, request: HttpRequest, instances: Iterable[Instance], question: str, context: dict[str, Any]
) -> HttpResponse:
    """Show the chosen instances with a question before an action of their list; what is `confirmed` comes back to the action.

    `question` names a template that extends chosen_instances.html; `context` holds what that shows, its `title` and the `action`.
    """
    chosen = [(instance, STATE_WORDS[instance.state]) for instance in instances]
    return console_page(model_admin, request, f"admin/engines/{question}.html", {"instances": chosen} | context)
