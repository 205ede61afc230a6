"""Fields of forms on the console's own pages."""

from typing import Any

from django.db.models import QuerySet
from django.forms import ModelChoiceField
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget


def one_or_all(label: Any, rows: "QuerySet[Any, Any]") -> "ModelChoiceField[Any]":
    """Let one of these rows be chosen, or nothing, which is all of them; `label` is translated when it is shown."""
    return ModelChoiceField(label=label, queryset=rows, required=False, empty_label=_("all"), widget=UnfoldAdminSelectWidget)
