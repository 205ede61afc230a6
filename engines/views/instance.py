"""One instance: its head with the way up, a tab, and its settings."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.views.decorators.http import require_POST

from engines.forms import GpuClassForm, RenameForm, TagForm
from engines.operations import instances as operations
from engines.operations.tags import change_tag as change_its_tag
from engines.queries.instances import instance_in
from engines.views.instance_page import Bound, operable, show_page, submit, tabs_for
from engines.views.membership import LiveRequest, live_member
from tenants.membership import PortalRequest


@login_required
def show(request: LiveRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Show the instance with the tab of `?tab=`."""
    membership = live_member(request, tenant_slug)
    row = instance_in(membership, slug)
    wanted = request.GET.get("tab", "overview")
    return show_page(request, membership, row, wanted if wanted in tabs_for(membership, row) else "overview")


@require_POST
@login_required
def rename(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Give it another name."""
    membership, row = operable(request, tenant_slug, slug)
    form = RenameForm(request.POST)

    def apply() -> None:
        operations.rename_instance(instance=row.instance, by=membership, name=form.cleaned_data["name"])

    return submit(request, (membership, row), Bound("rename_form", form, field="name"), apply)


@require_POST
@login_required
def change_tag(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Let its costs be for another project from now on."""
    membership, row = operable(request, tenant_slug, slug)
    form = TagForm(request.POST)

    def apply() -> None:
        change_its_tag(instance=row.instance, by=membership, tag=form.cleaned_data["tag"])

    return submit(request, (membership, row), Bound("tag_form", form, field="tag"), apply)


@require_POST
@login_required
def change_gpu_class(request: PortalRequest, tenant_slug: str, slug: str) -> HttpResponse:
    """Use another GPU class from the next start on."""
    membership, row = operable(request, tenant_slug, slug)
    form = GpuClassForm(request.POST, instance=row.instance)

    def apply() -> None:
        operations.change_gpu_class(instance=row.instance, by=membership, gpu_class=form.cleaned_data["gpu_class"])

    return submit(request, (membership, row), Bound("class_form", form, field="gpu_class"), apply)
