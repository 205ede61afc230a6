"""How the admin shows JSON that cannot be changed: in plain text. The theme's colours would be inline styles."""

import json
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold import fields


def show_json_without_styles() -> None:
    """Put `plain_json` in the place of the theme's own, for which it has no setting."""
    fields.prettify_json = plain_json


def plain_json(data: Any, encoder: type[json.JSONEncoder] | None) -> SafeString:
    """Return the value as indented text."""
    return format_html('<pre class="op-json">{}</pre>', json.dumps(data, indent=2, ensure_ascii=False, cls=encoder))
