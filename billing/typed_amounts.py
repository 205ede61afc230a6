"""Amounts of money as people type them.

In a text field: of "1,50" a browser's number field leaves 150, and says nothing.
"""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _


class TypedAmount(forms.DecimalField):
    """A decimal number in a text field, so that whatever is no number comes back to whoever typed it, and is not guessed at."""

    default_error_messages = {
        "invalid": _("Write it in digits, with a point before the decimals and nothing between thousands: 1234.50.")
    }

    def __init__(self, *, widget: forms.Widget | type[forms.Widget] = forms.TextInput, **kwargs: Any) -> None:
        super().__init__(widget=widget, **kwargs)

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        """Let phones offer digits."""
        return {**super().widget_attrs(widget), "inputmode": "decimal", "autocomplete": "off"}
