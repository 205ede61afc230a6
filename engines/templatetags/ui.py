"""Small pieces that every page shares: icons, states, moments, durations."""

from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import pgettext

from engines.states import InstanceState

register = template.Library()

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


@register.simple_tag
def icon(name: str, modifier: str = "") -> SafeString:
    """Draw a symbol of templates/includes/_icons.svg; `modifier`: large, spin."""
    extra = {"": "", "large": " icon--large", "spin": " spin"}[modifier]
    return format_html('<svg class="icon{}" aria-hidden="true"><use href="#i-{}"/></svg>', extra, name)


@register.inclusion_tag("includes/_mark.html")
def engine_mark(engine: object, modifier: str = "") -> dict[str, object]:
    """Draw an engine's own mark; its colour is an attribute because the content policy forbids inline styles."""
    return {"engine": engine, "modifier": modifier}


@register.filter
def chip_kind(state: str) -> str:
    """Name the colour of a state's chip: good, busy, warn, bad or quiet."""
    return _CHIP[InstanceState(state)]


_CHIP = {
    InstanceState.QUEUED: "warn",
    InstanceState.PROVISIONING: "busy",
    InstanceState.STARTING: "busy",
    InstanceState.RUNNING: "good",
    InstanceState.STOPPING: "busy",
    InstanceState.STOPPED: "quiet",
    InstanceState.FAILED: "bad",
    InstanceState.DELETING: "busy",
    InstanceState.DELETED: "quiet",
}


@register.filter
def duration(seconds: float | None) -> str:
    """Write seconds as two units at most, e.g. `3 min 20 s`; js/times.js counts on in the same form."""
    if seconds is None:
        return "–"
    total = max(0, int(seconds))
    for size, smaller, unit, sub in (
        (_DAY, _HOUR, pgettext("unit: days", "d"), pgettext("unit: hours", "h")),
        (_HOUR, _MINUTE, pgettext("unit: hours", "h"), pgettext("unit: minutes", "min")),
        (_MINUTE, 1, pgettext("unit: minutes", "min"), pgettext("unit: seconds", "s")),
    ):
        if total >= size:
            whole, rest = divmod(total, size)
            return f"{whole}\u00a0{unit} {rest // smaller}\u00a0{sub}" if rest // smaller else f"{whole}\u00a0{unit}"
    return f"{total}\u00a0{pgettext('unit: seconds', 's')}"


@register.filter
def estimate(seconds: float) -> str:
    """Write how long something usually takes: never as nothing at all."""
    return duration(max(1, round(seconds)))


def coarse(seconds: float) -> str:
    """Write seconds as one unit, e.g. `3 min`."""
    return duration(seconds).split(" ")[0]


@register.simple_tag
def moment(at: datetime | None) -> SafeString | str:
    """Write a moment relative to now; its title is the exact one in the reader's zone."""
    if at is None:
        return "–"
    seconds = (timezone.now() - at).total_seconds()
    form = pgettext("relative time", "{} ago") if seconds >= 0 else pgettext("relative time", "in {}")
    return _time(at, form.format(coarse(abs(seconds))), "relative")


@register.simple_tag
def exact(at: datetime | None) -> SafeString | str:
    """Write a moment as date and time in the reader's zone."""
    return "–" if at is None else _time(at, f"{timezone.localtime(at):%Y-%m-%d %H:%M:%S}", "exact")


@register.simple_tag
def since(at: datetime | None) -> SafeString | str:
    """Write how long something has lasted; counts on while the page is open."""
    if at is None:
        return "–"
    return _time(at, duration((timezone.now() - at).total_seconds()), "since")


def _time(at: datetime, text: str, kind: str) -> SafeString:
    local = timezone.localtime(at)
    title = f"{local:%Y-%m-%d %H:%M:%S %Z}"
    form = '<time class="num" datetime="{}" data-time="{}" title="{}">{}</time>'
    return format_html(form, at.isoformat(), kind, title, text)


@register.filter
def gib(mib: int) -> str:
    """Write mebibytes as gibibytes, e.g. `24 GB`, as GPU makers do."""
    return f"{mib / 1024:.0f}\u00a0GB" if mib >= 1024 else f"{mib}\u00a0MB"


@register.filter
def bytes_used(count: int | None) -> str:
    """Write bytes with a binary unit; a dash for unknown."""
    if count is None:
        return "–"
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f}\u00a0{unit}" if unit == "B" else f"{size:.1f}\u00a0{unit}"
        size /= 1024
    return f"{size:.1f}\u00a0TiB"
