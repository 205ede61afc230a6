"""What libraries without a Chinese translation of their own show to operators: named here, `make messages` finds it."""

from django.utils.translation import gettext_noop as _
from django.utils.translation import pgettext_lazy

UNFOLD = (
    _("All applications"),
    _("Apply Filters"),
    _("Dark"),
    _("Filters"),
    _("Date"),
    _("After you've created a user, you’ll be able to edit more user options."),
    _("Expand row"),
    _("General"),
    _("Go back"),
    _("Light"),
    _("Loading more results..."),
    _("More actions"),
    _("Next"),
    _("No data"),
    _("No recent searches"),
    _("No results found"),
    _("No results matching your query"),
    _("Previous"),
    _("Recent searches"),
    _("Reset filters"),
    _("Search apps and models..."),
    _("Select all rows"),
    _("Select action"),
    _("Select value"),
    _("Select record"),
    _("Submit"),
    _("System"),
    _("This page yielded into no results. Create a new item or reset your filters."),
    _("Toggle password visibility"),
    _("True"),
    _("False"),
    _("Type to search"),
    _("Add row"),
    _("Dataset not found. No action performed."),
    _("Date from"),
    _("Date to"),
    _("From"),
    _("To"),
    _("Value"),
    _("Select action to run"),
)

# allauth has Chinese for these, in other words than ours.
ALLAUTH = (
    _("Username or email"),
    pgettext_lazy("field label", "Login"),
)
