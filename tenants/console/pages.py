"""Pages of the console beside Django's own: lists that are worked out, questions before an action."""

from typing import Any

from django.http import HttpRequest
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin


def console_page(
    model_admin: ModelAdmin, request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200
) -> TemplateResponse:
    """Show a page of a model's admin in the console's frame; `context` goes before the frame's own."""
    frame = {**model_admin.admin_site.each_context(request), "opts": model_admin.opts, "media": model_admin.media}
    return TemplateResponse(request, template, frame | context, status=status)
