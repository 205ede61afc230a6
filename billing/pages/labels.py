"""What people call the values that costs are told apart by."""

from collections.abc import Iterable

from django.utils.translation import gettext as _

from billing.models import Charge
from billing.queries import scope_of
from engines.models import Engine, GpuClass, Instance
from tenants.models import Membership


class Labels:
    """Names by parameter and value; of instances those of the tenant alone. One query for each kind, and none twice."""

    def __init__(self, membership: Membership) -> None:
        self._tenant_id = membership.tenant_id
        self._is_own = scope_of(membership) is not None
        self._classes: dict[str, str] | None = None

    def of(self, name: str, values: Iterable[str]) -> dict[str, str]:
        """Return what each of the values is called; "" is what has none of the dimension."""
        found = {value: value for value in values}
        if name == "gpu_class":
            found |= self._of_classes(found)
        elif name == "instance":
            of_tenant = Instance.objects.filter(tenant=self._tenant_id, slug__in=found)
            found |= dict(of_tenant.values_list("slug", "name"))
        elif name == "engine":
            found |= dict(Engine.objects.filter(slug__in=found).values_list("slug", "name"))
        elif name == "category":
            found |= {value: str(Charge.Category(value).label) for value in found if value in Charge.Category.values}
        if "" in found:
            found[""] = _nothing(name, is_own=self._is_own)
        return found

    def _of_classes(self, values: Iterable[str]) -> dict[str, str]:
        if self._classes is None:
            self._classes = dict(GpuClass.objects.values_list("slug", "name"))
        return {value: self._classes.get(value, value) for value in values}


def title(name: str) -> str:
    """Return what a dimension is called, by its parameter."""
    return {
        "user": _("User"),
        "gpu_class": _("GPU class"),
        "instance": _("Instance"),
        "volume": _("Data"),
        "engine": _("Engine"),
        "category": _("Category"),
        "project": _("Project"),
    }[name]


def _nothing(name: str, *, is_own: bool) -> str:
    if name == "project":
        return _("No project")
    if is_own:
        return _("Storage")
    return _("Credits, adjustments and taxes") if name == "user" else _("Storage, credits and taxes")
