"""What every page with a form does: apply it, or bring it back with the refusal in it."""

from collections.abc import Callable

from django.forms import BaseForm

from tenants.errors import NotAllowed, NotVisible, PortalError
from tenants.quotas.refusal import told


def is_applied(form: BaseForm, apply: Callable[[], object], *, reader: object, field: str | None = None) -> bool:
    """Apply a valid form; a refusal is put into it, beside `field`, as its `reader` is told of it (see tenants.quotas.refusal).

    NotVisible and NotAllowed pass: they answer no form.
    """
    if not form.is_valid():
        return False
    try:
        apply()
    except (NotVisible, NotAllowed):
        raise
    except PortalError as refusal:
        form.add_error(field, told(refusal, reader))
        return False
    return True
