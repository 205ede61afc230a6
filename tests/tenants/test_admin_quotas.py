"""Operators set ceilings on a tenant's page and decide about requests, by the operations that everybody else calls."""

import pytest
from django.urls import reverse

from tenants.audit.models import AuditEvent
from tenants.quotas.models import Quota, QuotaRequest
from tests import factories

REQUESTS = "admin:tenants_quotarequest_changelist"


@pytest.fixture
def operator(client, olga):
    client.force_login(olga)
    return client


@pytest.fixture
def asked(acme, alice):
    return QuotaRequest.objects.create(tenant=acme, asker=alice, whole_tenant=True, measure="running", wanted=9, reason="A film.")


def save(client, tenant, *rows, **more):
    """Post the tenant's page with these ceilings."""
    prefix = "quotas"
    initial = sum("id" in row for row in rows)
    data = {
        "name": tenant.name,
        "burst_after_seconds": "45",
        "memberships-TOTAL_FORMS": "0",
        "memberships-INITIAL_FORMS": "0",
        f"{prefix}-TOTAL_FORMS": str(len(rows)),
        f"{prefix}-INITIAL_FORMS": str(initial),
        **more,
    }
    for number, row in enumerate(rows):
        data |= {f"{prefix}-{number}-{key}": str(value) for key, value in ({"tenant": tenant.pk} | row).items()}
    return client.post(reverse("admin:tenants_tenant_change", args=[tenant.pk]), data)


def act(client, action, *rows, word=""):
    data = {"action": action, "word": word, "_selected_action": [str(row.pk) for row in rows]}
    answer = client.post(reverse(REQUESTS), data, follow=True)
    return [str(message) for message in answer.context["messages"]]


def test_ceilings_are_set_changed_and_removed_by_operations(operator, acme, olga, gpu_class):
    answer = save(
        operator,
        acme,
        {"measure": "gpus", "gpu_class": "", "amount": "2.5"},
        {"measure": "running", "gpu_class": gpu_class.pk, "amount": ""},
    )
    assert answer.status_code == 302, answer.context["errors"]
    rows = {each.measure: each for each in Quota.objects.all()}
    assert {key: (row.author, row.limit, row.gpu_class_id, row.set_by) for key, row in rows.items()} == {
        "gpus": ("operator", 2500, None, olga),
        "running": ("operator", None, gpu_class.pk, olga),
    }
    gpus, running = rows["gpus"], rows["running"]
    answer = save(
        operator,
        acme,
        {"id": gpus.pk, "measure": "gpus", "gpu_class": "", "amount": "3"},
        {"id": running.pk, "measure": "running", "gpu_class": gpu_class.pk, "amount": "", "DELETE": "on"},
    )
    assert answer.status_code == 302, answer.context["errors"]
    assert [(each.measure, each.limit) for each in Quota.objects.all()] == [("gpus", 3000)]
    kinds = AuditEvent.objects.filter(kind__startswith="quota").order_by("pk").values_list("kind", "via")
    assert list(kinds) == [("quota.set", "admin"), ("quota.set", "admin"), ("quota.removed", "admin"), ("quota.set", "admin")]


def test_what_cannot_be_counted_so_is_refused(operator, acme, gpu_class):
    answer = save(operator, acme, {"measure": "running", "gpu_class": "", "amount": "2.5"})
    assert "Only GPUs can be counted in parts." in answer.content.decode()
    answer = save(operator, acme, {"measure": "storage", "gpu_class": gpu_class.pk, "amount": "2"})
    assert "Storage has no GPU class." in answer.content.decode()
    assert not Quota.objects.exists()


def test_the_tenants_own_limits_are_not_among_the_ceilings(operator, acme, alice):
    Quota.objects.create(tenant=acme, author="tenant", user=alice, measure="gpus", limit=1234)
    page = operator.get(reverse("admin:tenants_tenant_change", args=[acme.pk])).content.decode()
    assert "1.234" not in page


def test_approving_raises_the_ceiling(operator, acme, asked):
    assert act(operator, "approve", asked, word="Until May.") == ["Decided: 1"]
    asked.refresh_from_db()
    assert (asked.state, asked.granted, Quota.objects.get().limit) == ("approved", 9, 9)
    step = asked.steps.get()
    assert (step.by.username, step.by_operator, step.word) == ("olga", True, "Until May.")


def test_refusing_needs_a_word(operator, asked):
    assert act(operator, "refuse", asked) == ["Acme Studio / alice: Say why, in a word or two."]
    assert act(operator, "refuse", asked, word="No GPUs left.") == ["Decided: 1"]
    assert act(operator, "approve", asked) == ["Acme Studio / alice: This request is closed: refused."]
    assert not Quota.objects.exists()


def test_what_operators_have_to_decide_comes_first(operator, acme, alice, asked):
    QuotaRequest.objects.create(tenant=acme, asker=alice, measure="gpus", wanted=1, reason="Open and newer.")
    QuotaRequest.objects.filter(pk=asked.pk).update(state="passed_on")
    rows = list(operator.get(reverse(REQUESTS)).context["cl"].result_list)
    assert [row.state for row in rows] == ["passed_on", "open"]
    page = operator.get(reverse("admin:tenants_quotarequest_change", args=[asked.pk]))
    assert "A film." in page.content.decode()


def test_whoever_may_only_look_decides_nothing(client, asked):
    client.force_login(factories.make_operator("oscar", "tenants.view_quotarequest"))
    assert "A film." in client.get(reverse(REQUESTS)).content.decode()
    act(client, "approve", asked)
    asked.refresh_from_db()
    assert asked.state == "open"


def test_a_request_is_decided_on_its_own_page_and_cannot_be_saved(operator, asked):
    page = reverse("admin:tenants_quotarequest_change", args=[asked.pk])
    shown = operator.get(page).content.decode()
    address = page.replace("/change/", "/refuse-this/")
    assert address in shown
    assert 'name="_save"' not in shown
    operator.post(address, {"_form_submitted": "True", "word": "Not this month."})
    asked.refresh_from_db()
    assert (asked.state, asked.steps.last().word) == ("refused", "Not this month.")
    assert address not in operator.get(page).content.decode()
