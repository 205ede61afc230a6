"""What an operator can ask of a cluster itself: whether it can be used, and which GPU classes it would support."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from engines.admin.badges import badge
from engines.admin.words import CAUTION_WORDS, SUBJECT_WORDS
from engines.clusters import config_problem, get_cluster
from engines.clusters.base import Cluster as Adapter
from engines.clusters.base import ClusterError, ClusterUnavailable, Finding, Proposal
from engines.models import Cluster, GpuClass
from engines.operations.clusters import adopt_classes
from tenants.access import operator_may
from tenants.console.audited import AuditedAdmin
from tenants.console.pages import console_page
from tenants.models import User

TIME_LIMIT_SECONDS = 60.0
_Answer = TypeVar("_Answer")
_VERDICTS = {True: ("ok", _("ok")), False: ("wrong", _("wrong")), None: ("note", _("note"))}


def ask(cluster: Cluster, question: Callable[[Adapter], _Answer], *, seconds: float = TIME_LIMIT_SECONDS) -> _Answer:
    """Ask the cluster itself, and wait for the answer so long; ClusterUnavailable if none comes."""
    if problem := config_problem(cluster.kind, cluster.slug, cluster.config):
        raise ClusterUnavailable(problem)
    adapter = get_cluster(cluster)
    pool = ThreadPoolExecutor(1, thread_name_prefix="ask-cluster")
    try:
        return pool.submit(question, adapter).result(timeout=seconds)
    except TimeoutError:
        raise ClusterUnavailable(gettext("no answer within %(seconds)d seconds") % {"seconds": seconds}) from None
    finally:
        pool.shutdown(wait=False)


class ClusterTools(AuditedAdmin):
    """Two buttons below a cluster's form, and what they show. Asking changes nothing, yet costs the cluster work: hence POST."""

    change_form_outer_after_template = "admin/engines/cluster_tools.html"

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/test/", wrap(self.test_connection), name="engines_cluster_test"),
            path("<int:pk>/proposals/", wrap(self.propose_classes), name="engines_cluster_proposals"),
            path("<int:pk>/adopt/", wrap(self.adopt_classes), name="engines_cluster_adopt"),
            *super().get_urls(),
        ]

    @method_decorator(require_POST)
    def test_connection(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show what an inspection finds."""
        cluster = self._cluster(request, pk)
        found: list[Finding] | None = self._answer(request, cluster, lambda adapter: adapter.inspect())
        if found is None:
            return redirect("admin:engines_cluster_change", pk)
        rows = [
            (SUBJECT_WORDS.get(each.subject, each.subject), badge(_VERDICTS[each.ok][0], _VERDICTS[each.ok][1]), str(each.detail))
            for each in found
        ]
        return self._page(request, "cluster_findings", cluster, title=_("Connection test"), findings=rows)

    @method_decorator(require_POST)
    def propose_classes(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show what the cluster would support, and offer to take it over."""
        cluster = self._cluster(request, pk)
        proposals: list[Proposal] | None = self._answer(request, cluster, lambda adapter: adapter.propose_classes())
        if proposals is None:
            return redirect("admin:engines_cluster_change", pk)
        known = set(GpuClass.objects.filter(slug__in=[each.slug for each in proposals]).values_list("slug", flat=True))
        rows = [(each, [CAUTION_WORDS[caution] for caution in each.cautions], each.slug in known) for each in proposals]
        has_new = any(each.slug not in known for each in proposals)
        return self._page(request, "cluster_proposals", cluster, title=_("Proposed GPU classes"), proposals=rows, has_new=has_new)

    @method_decorator(require_POST)
    def adopt_classes(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Take over what was chosen, as the cluster describes it now."""
        cluster = self._cluster(request, pk)
        if not operator_may(request.user, "engines.add_gpuclass"):
            raise PermissionDenied
        proposals: list[Proposal] | None = self._answer(request, cluster, lambda adapter: adapter.propose_classes())
        chosen = set(request.POST.getlist("slug"))
        if proposals is None:
            return redirect("admin:engines_cluster_change", pk)
        created = adopt_classes(proposals=[each for each in proposals if each.slug in chosen], by=cast("User", request.user))
        if not created:
            messages.warning(request, gettext("No GPU class was added: none was chosen that is new."))
            return redirect("admin:engines_cluster_change", pk)
        done = ngettext("%(count)d GPU class was added.", "%(count)d GPU classes were added.", len(created))
        hidden = gettext("Nobody is offered it yet: check its name and who may use it, set a price, then show it.")
        messages.success(request, f"{done % {'count': len(created)}} {hidden}")
        return redirect("admin:engines_gpuclass_changelist")

    def _cluster(self, request: HttpRequest, pk: int) -> Cluster:
        cluster = Cluster.objects.filter(pk=pk).first()
        if cluster is None:
            raise Http404
        if not self.has_change_permission(request, cluster):
            raise PermissionDenied
        return cluster

    def _answer(self, request: HttpRequest, cluster: Cluster, question: Callable[[Adapter], _Answer]) -> _Answer | None:
        """Ask; None after a message if there is no answer."""
        try:
            return ask(cluster, question)
        except (ClusterUnavailable, ClusterError) as error:
            said = gettext("%(cluster)s gives no answer: %(error)s") % {"cluster": cluster, "error": error}
            messages.error(request, said)
            return None

    def _page(self, request: HttpRequest, name: str, cluster: Cluster, **context: Any) -> TemplateResponse:
        return console_page(self, request, f"admin/engines/{name}.html", {"cluster": cluster} | context)
