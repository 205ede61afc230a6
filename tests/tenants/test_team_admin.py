"""Operators look after tenants and memberships through the operations that pages use."""

import pytest
from django.contrib.auth.models import Permission

from tenants.audit.models import AuditEvent
from tenants.invitations.models import Invitation
from tenants.models import Membership, Role, Tenant
from tests import factories

SENT = {"_form_submitted": "True"}
LIMITS = {"burst_after_seconds": 45}
INLINE = {f"{prefix}-{total}": 0 for prefix in ("memberships", "quotas") for total in ("TOTAL_FORMS", "INITIAL_FORMS")}


@pytest.fixture
def as_olga(olga, client):
    client.force_login(olga)
    return client


def audit():
    return list(AuditEvent.objects.order_by("pk").values_list("kind", "actor__username", "via"))


def page_of(tenant, rest="change/"):
    return f"/admin/tenants/tenant/{tenant.pk}/{rest}"


def test_a_tenant_is_suspended_with_a_reason_and_resumed(as_olga, acme):
    assert "Its members read it." in as_olga.get(page_of(acme, "suspend/")).content.decode()
    assert as_olga.post(page_of(acme, "suspend/"), SENT | {"reason": ""}).status_code == 200
    acme.refresh_from_db()
    assert acme.suspended_at is None
    answer = as_olga.post(page_of(acme, "suspend/"), SENT | {"reason": "Fraud"})
    assert answer["HX-Redirect"] == page_of(acme)
    acme.refresh_from_db()
    assert acme.suspended_reason == "Fraud"
    page = as_olga.get(page_of(acme)).content.decode()
    assert (page_of(acme, "resume/") in page, page_of(acme, "suspend/") in page) == (True, False)
    as_olga.post(page_of(acme, "resume/"), SENT)
    acme.refresh_from_db()
    assert acme.suspended_at is None
    assert audit() == [("tenant.suspended", "olga", "admin"), ("tenant.resumed", "olga", "admin")]


def test_a_tenant_is_deleted_by_its_name_and_kept(as_olga, acme):
    as_olga.post(page_of(acme, "end/"), SENT | {"name": "acme"})
    assert "Type the name exactly: Acme Studio" in as_olga.get(page_of(acme)).content.decode()
    assert audit() == []
    as_olga.post(page_of(acme, "end/"), SENT | {"name": "Acme Studio"})
    as_olga.post(page_of(acme, "keep/"), SENT)
    assert [kind for kind, *_rest in audit()] == ["tenant.deletion_asked", "tenant.kept"]
    assert as_olga.get(page_of(acme, "delete/")).status_code == 403  # its row stays


def test_staff_without_the_right_change_nothing(acme, client):
    staff = factories.make_user("sam", is_staff=True)
    given = Permission.objects.filter(content_type__app_label="tenants", codename__in=["view_tenant", "use_console"])
    staff.user_permissions.add(*given)
    client.force_login(staff)
    assert client.get(page_of(acme)).status_code == 200
    for rest in ("suspend/", "resume/", "end/", "keep/", "download/", "export/"):
        assert client.post(page_of(acme, rest), SENT | {"reason": "Fraud", "name": "Acme Studio"}).status_code in {403, 405}
        assert client.get(page_of(acme, rest)).status_code == 403
    assert audit() == []


def test_a_new_tenant_invites_its_first_owner(as_olga):
    fields = {"name": " Nova  Films", "slug": "nova", "first_owner": "nora@example.org"} | LIMITS | INLINE
    assert as_olga.post("/admin/tenants/tenant/add/", fields).status_code == 302
    invitation = Invitation.objects.get()
    assert (invitation.tenant.name, invitation.address, invitation.role) == ("Nova Films", "nora@example.org", "owner")
    assert [kind for kind, *_rest in audit()] == ["tenant.founded", "invitation.sent"]


@pytest.mark.parametrize(
    ("name", "slug", "sentence"),
    [
        ("ACME studio", "other", "There is a tenant of this name already."),
        ("Аcme", "other", "look alike"),
        ("Nova", "acme", "already exists"),
        ("Nova", "admin", "own addresses"),
    ],
)
def test_a_tenant_that_cannot_be_says_why(name, slug, sentence, as_olga, acme):
    answer = as_olga.post("/admin/tenants/tenant/add/", {"name": name, "slug": slug} | LIMITS | INLINE)
    assert (answer.status_code, sentence in answer.content.decode()) == (200, True)
    assert Tenant.objects.count() == 1


def test_a_tenant_is_renamed_with_its_limits(as_olga, acme):
    answer = as_olga.post(page_of(acme), {"name": "Nova", "may_burst": "on"} | LIMITS | INLINE)
    assert answer.status_code == 302, answer.content
    acme.refresh_from_db()
    assert (acme.name, acme.slug, acme.may_burst) == ("Nova", "acme", True)
    assert audit() == [("tenant.renamed", "olga", "admin"), ("console.changed", "olga", "admin")]


def test_memberships_are_given_changed_and_taken_by_operations(as_olga, acme, anna, bob):
    fields = {"user": bob.pk, "tenant": acme.pk, "role": Role.FINANCE}
    assert as_olga.post("/admin/tenants/membership/add/", fields).status_code == 302
    member = Membership.objects.get(user=bob, tenant=acme)
    url = f"/admin/tenants/membership/{member.pk}"
    assert as_olga.post(f"{url}/change/", {"role": Role.ADMIN}).status_code == 302
    assert as_olga.post(f"{url}/delete/", {"post": "yes"}).status_code == 302
    assert [kind for kind, *_rest in audit()] == ["member.added", "member.role_changed", "member.removed"]
    assert not Membership.objects.filter(pk=member.pk).exists()


def test_the_last_owner_stays_for_operators_too(as_olga, anna_in_acme):
    url = f"/admin/tenants/membership/{anna_in_acme.pk}"
    for address, fields in ((f"{url}/change/", {"role": Role.VIEWER}), (f"{url}/delete/", {"post": "yes"})):
        answer = as_olga.post(address, fields, follow=True)
        assert "anna is the only owner of Acme Studio. Make somebody else an owner first." in answer.content.decode()
        assert "successfully" not in answer.content.decode()
    chosen = {"action": "delete_selected", "_selected_action": [anna_in_acme.pk], "post": "yes"}
    assert "only owner" in as_olga.post("/admin/tenants/membership/", chosen, follow=True).content.decode()
    anna_in_acme.refresh_from_db()
    assert anna_in_acme.role == "owner"
    assert audit() == []
