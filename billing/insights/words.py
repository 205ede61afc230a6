"""What people call the causes of idle time."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from billing.insights.waste import Cause

CAUSES: Mapping[Cause, tuple[str | Promise, str | Promise]] = {
    Cause.OFF_HOURS: (_("Nights and weekends"), _("Outside Monday to Friday, 8:00 to 20:00.")),
    Cause.TAIL: (_("After the last use"), _("Until the engine was paused; all of the time, if nobody used it.")),
    Cause.LONG_GAP: (_("Long gaps"), _("15 minutes or more between two uses.")),
    Cause.SHORT_GAP: (_("Short breaks"), _("Less than 15 minutes: nobody would have paused for these.")),
}
