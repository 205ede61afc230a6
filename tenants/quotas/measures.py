"""What is limited, in which unit, and what holds where nobody has set anything."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import TextChoices
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

MILLIS_PER_GPU = 1000


class Measure(TextChoices):
    """What a quota counts. Amounts are whole numbers: of instances, of GiB, and of thousandths of a GPU."""

    RUNNING = "running", _("running instances")
    GPUS = "gpus", _("GPUs")
    INSTANCES = "instances", _("instances")
    STORAGE = "storage", _("storage, GiB")


EXPLANATIONS: Mapping[str, Promise] = {
    Measure.RUNNING: _("Instances that run, start or wait for a GPU."),
    Measure.GPUS: _("GPUs of those instances. A share of a GPU counts as the part that operators have given it."),
    Measure.INSTANCES: _("All instances that are not deleted, paused ones included."),
    Measure.STORAGE: _("The size of all data, whether or not an instance uses it. Data in the trash counts until it is purged."),
}

ABOUT: Mapping[str, str] = {
    Measure.RUNNING: gettext_noop("It is about running instances."),
    Measure.GPUS: gettext_noop("It is about GPUs."),
    Measure.INSTANCES: gettext_noop("It is about the number of instances."),
    Measure.STORAGE: gettext_noop("It is about storage, in GiB."),
}
"""Sentences for notifications, which translate them for their reader."""

DEFAULT_CEILINGS: Mapping[str, int] = {Measure.RUNNING: 5, Measure.INSTANCES: 50}
"""What a whole tenant may have where operators have set nothing; what is not here has no limit then."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What one limit is about: a measure, of one GPU class or all (None), for a role, a person, or the whole tenant.

    A role's limit holds for each person who has the role; a person's own takes its place.
    """

    measure: str
    gpu_class_id: int | None = None
    role: str = ""
    user_id: int | None = None

    @property
    def whole_tenant(self) -> bool:
        return not self.role and self.user_id is None


def to_amount(measure: str, number: Decimal) -> int:
    """Turn what people type into an amount: GPUs may have three decimals, everything else has none."""
    return int(number * MILLIS_PER_GPU) if measure == Measure.GPUS else int(number)


def to_number(measure: str, amount: int) -> Decimal:
    """Turn an amount into what people type, without zeros that say nothing."""
    if measure != Measure.GPUS:
        return Decimal(amount)
    number = Decimal(amount) / MILLIS_PER_GPU
    return number.quantize(Decimal(1)) if number == number.to_integral_value() else number.normalize()


def shown(measure: str, amount: int) -> str:
    """Write an amount as the reader's language writes numbers."""
    return number_format(to_number(measure, amount))
