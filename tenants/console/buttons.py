"""Buttons of a row's page in the console: each opens a dialog that says what follows, and posts it."""

from collections.abc import Callable
from typing import Any

from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django_htmx.http import HttpResponseClientRedirect
from unfold.admin import ModelAdmin
from unfold.decorators import action

Run = Callable[[HttpRequest, Any, dict[str, Any]], object]
"""What a button does: with the request, its row, and what was filled in. It says itself what became of it."""


def dialog_button(
    name: str, *, title: Any, ask: Any = None, consequence: Any = None, form: Any = None, run: Run, **more: Any
) -> Any:
    """Make a button. `name` is the attribute's own; `ask` heads the dialog, with the title if it is None; `more` is Unfold's."""

    def act(model_admin: ModelAdmin, request: HttpRequest, filled: Any, object_id: str) -> HttpResponse:
        row = model_admin.get_object(request, object_id)
        if row is None:
            raise Http404
        run(request, row, filled.cleaned_data)
        return page_again(row)

    act.__name__ = name
    dialog = {"title": ask or title, "description": consequence, "form_submit_text": title, "form_class": form}
    return action(description=title, url_path=name.replace("_", "-"), dialog=dialog, **more)(act)


def page_again(row: Model) -> HttpResponse:
    """Show the row's page again, from within a dialog."""
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}_change"  # noqa: SLF001 - Django's public name for it
    return HttpResponseClientRedirect(reverse(name, args=[row.pk]))
