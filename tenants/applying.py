"""What every page with a form does: apply it, or bring it back with the refusal in it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.forms import BaseForm

from tenants.errors import NotAllowed, NotVisible, PortalError
from tenants.quotas.refusal import told


@contextmanager
def refusals_in(form: BaseForm, *, reader: object = None, field: str | None = None) -> Iterator[None]:
    """Put what an operation refuses into the form, beside `field`, as its `reader` is told of it (see tenants.quotas.refusal).

    NotVisible and NotAllowed pass: they answer no form.
    """
    try:
        yield
    except (NotVisible, NotAllowed):
        raise
    except PortalError as refusal:
        form.add_error(field, told(refusal, reader))


def is_applied(form: BaseForm, apply: Callable[[], object], *, reader: object = None, field: str | None = None) -> bool:
    """Apply a valid form, and tell whether it was neither wrong nor refused."""
    if not form.is_valid():
        return False
    with refusals_in(form, reader=reader, field=field):
        apply()
    return not form.errors
