"""Parts of pages that change by themselves, rendered alike for a page, a button's answer and the socket."""

from django.template.loader import render_to_string

from engines.queries.idle import keep_minutes
from engines.queries.instances import InstanceRow
from engines.queries.phases import queue_position, steps_of
from engines.states import COMING_UP, InstanceState


def row_context(row: InstanceRow) -> dict[str, object]:
    """Return what templates/engines/_instance_row.html shows."""
    return {
        "row": row,
        "instance": row.instance,
        "face": row.face,
        "offers": row.offers,
        "rights": row.rights,
        "stay": row.stay,
        "instances": [row.instance],
    }


def page_context(row: InstanceRow) -> dict[str, object]:
    """Return what templates/engines/_instance_live.html shows: the row's, and the way up if that matters now."""
    coming = row.instance.state in COMING_UP
    shows_steps = coming or row.instance.state == InstanceState.FAILED
    return row_context(row) | {
        "coming": coming,
        "steps": steps_of(row.instance) if shows_steps else [],
        "queue_position": queue_position(row.instance),
        "keep_minutes": keep_minutes(row.instance, row.stay) if row.rights.operate else 0,
    }


def render_row(row: InstanceRow) -> str:
    """Render the row as a swap out of band."""
    return render_to_string("engines/_instance_row_live.html", row_context(row) | {"oob": True})


def render_page(row: InstanceRow) -> str:
    """Render the instance page's head as a swap out of band."""
    return render_to_string("engines/_instance_live.html", page_context(row) | {"oob": True})


def render_gone(element_id: str) -> str:
    """Render the removal of an element."""
    return render_to_string("engines/_gone.html", {"element_id": element_id})
