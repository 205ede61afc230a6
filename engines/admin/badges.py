"""States as icon, word and colour, never colour alone."""

from django.template.loader import render_to_string
from django.utils.functional import Promise
from django.utils.safestring import SafeString, mark_safe

from engines.admin.words import STATE_WORDS

# Icon of Material Symbols, and the colour's name in the admin's theme.
LOOKS: dict[str, tuple[str, str]] = {
    "queued": ("hourglass_top", "warning"),
    "provisioning": ("pending", "info"),
    "starting": ("rocket_launch", "info"),
    "running": ("play_circle", "success"),
    "stopping": ("stop_circle", "warning"),
    "stopped": ("pause_circle", ""),
    "failed": ("error", "danger"),
    "deleting": ("auto_delete", "warning"),
    "deleted": ("delete", ""),
    "draft": ("edit_note", "warning"),
    "published": ("check_circle", "success"),
    "deprecated": ("do_not_disturb_on", ""),
    "active": ("hard_drive", "success"),
    "trashed": ("delete", "warning"),
    "fresh": ("sensors", "success"),
    "silent": ("sensors_off", "danger"),
    "ok": ("check_circle", "success"),
    "wrong": ("error", "danger"),
    "note": ("info", ""),
}


def badge(state: str, word: str | Promise = "") -> SafeString:
    """Render a state, under its own word or another."""
    icon, variant = LOOKS[state]
    return mark_safe(  # noqa: S308 - rendered by a template, which escapes
        render_to_string("unfold/helpers/label.html", {"text": word or STATE_WORDS[state], "icon": icon, "type": variant})
    )
