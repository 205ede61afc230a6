"""The operators' console: who may enter, with which second factor, and that every change by a form is recorded."""

import time
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from engines.models import Cluster, ClusterSecret, GpuClass
from tenants.audit.models import AuditEvent
from tenants.console.audited import AuditedAdmin
from tenants.console.changes import MASK, plain
from tenants.console.groups import make_groups
from tenants.console.site import Console
from tenants.models import Tenant, User
from tests import factories

pytestmark = pytest.mark.django_db
PASSWORD = "a-long-secret"
INDEX = "/admin/"


@pytest.fixture
def operator(client: Client, olga: User) -> Client:
    client.force_login(olga)
    return client


def with_password(user: User) -> User:
    user.set_password(PASSWORD)
    user.save()
    return user


def code_of(secret: str) -> str:
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30))


# --- Who may enter ----------------------------------------------------------------------------------------------------


def test_the_site_is_ours() -> None:
    assert isinstance(admin.site._wrapped if hasattr(admin.site, "_wrapped") else admin.site, Console)


def test_staff_status_alone_opens_nothing(client: Client) -> None:
    client.force_login(factories.make_user("sam", is_staff=True))
    assert client.get(INDEX, follow=True).status_code == 403
    assert client.get("/admin/login/").status_code == 403


def test_the_permission_alone_opens_nothing(client: Client) -> None:
    sam = factories.make_operator("sam", "engines.view_instance")
    User.objects.filter(pk=sam.pk).update(is_staff=False)
    client.force_login(sam)
    assert client.get(INDEX, follow=True).status_code == 403


def test_both_open_it_and_each_page_asks_for_its_own(client: Client) -> None:
    client.force_login(factories.make_operator("sam", "engines.view_instance"))
    assert client.get(INDEX).status_code == 200
    assert client.get(reverse("admin:engines_instance_changelist")).status_code == 200
    assert client.get(reverse("admin:engines_volume_changelist")).status_code == 403


def test_nobody_signs_in_beside_the_portals_own_page(client: Client) -> None:
    answer = client.get("/admin/login/?next=/admin/tenants/")
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/?next=/admin/tenants/")
    assert client.get(INDEX)["Location"] == "/admin/login/?next=/admin/"


# --- The second factor ------------------------------------------------------------------------------------------------


@pytest.fixture
def required(settings: Any) -> None:
    settings.REQUIRE_OPERATOR_MFA = True


def test_on_this_machine_alone_none_is_demanded(operator: Client, settings: Any) -> None:
    assert settings.REQUIRE_OPERATOR_MFA is False
    page = operator.get(INDEX)
    assert page.status_code == 200
    assert "without a second factor" in page.content.decode()


@pytest.mark.parametrize("url", [INDEX, "/admin/engines/instance/", "/admin/jsi18n/", "/admin/autocomplete/", "/admin/search/"])
def test_an_operator_without_one_is_led_to_set_one_up(required: None, operator: Client, url: str) -> None:
    for answer in (operator.get(url), operator.post(url)):
        assert (answer.status_code, answer["Location"]) == (302, "/accounts/2fa/")


def test_one_that_was_not_used_in_this_session_is_asked_for(required: None, operator: Client, olga: User) -> None:
    TOTP.activate(olga, generate_totp_secret())
    answer = operator.get("/admin/engines/instance/?q=x")
    assert answer["Location"] == "/accounts/2fa/reauthenticate/?next=%2Fadmin%2Fengines%2Finstance%2F%3Fq%3Dx"


def test_recovery_codes_alone_are_no_factor(required: None, operator: Client, olga: User) -> None:
    Authenticator.objects.create(user=olga, type=Authenticator.Type.RECOVERY_CODES, data={"seed": "x", "used_mask": 0})
    assert operator.get(INDEX)["Location"] == "/accounts/2fa/"


def test_signing_in_with_it_opens_the_console(required: None, client: Client, olga: User) -> None:
    secret = generate_totp_secret()
    TOTP.activate(with_password(olga), secret)
    asked = client.post("/accounts/login/?next=/admin/", {"login": "olga", "password": PASSWORD, "next": "/admin/"})
    assert "/accounts/2fa/authenticate/" in asked["Location"]
    assert client.get(INDEX).status_code == 302
    client.post(asked["Location"], {"code": code_of(secret)})
    assert client.get(INDEX).status_code == 200
    assert "without a second factor" not in client.get(INDEX).content.decode()


def test_the_record_of_somebody_else_in_the_session_counts_for_nobody(required: None, operator: Client, olga: User) -> None:
    TOTP.activate(olga, generate_totp_secret())
    session = operator.session
    session["account_authentication_methods"] = [{"method": "mfa", "at": time.time(), "type": "totp"}]
    session["account_authentication_methods_user"] = str(olga.pk + 1)
    session.save()
    assert "/accounts/2fa/reauthenticate/" in operator.get(INDEX)["Location"]


def test_members_need_none(required: None, client: Client, alice: User) -> None:
    client.force_login(alice)
    assert client.get("/acme/").status_code == 200


# --- Groups -----------------------------------------------------------------------------------------------------------


def test_the_groups_and_what_they_may(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("make_operator_groups")
    call_command("make_operator_groups")
    assert "Support: " in capsys.readouterr().out
    support = set(Group.objects.get(name="Support").permissions.values_list("codename", flat=True))
    operators = set(Group.objects.get(name="Operators").permissions.values_list("codename", flat=True))
    assert support < operators
    assert {each for each in support if not each.startswith("view_")} == {"use_console", "look_as"}
    assert {"act_as", "change_tenant", "add_price", "change_instance"} <= operators
    assert not {each for each in operators if "group" in each or "permission" in each} - {"view_group"}


def test_support_looks_everywhere_and_changes_nothing(client: Client, acme: Tenant, cluster: Cluster) -> None:
    make_groups()
    sam = factories.make_user("sam", is_staff=True)
    sam.groups.add(Group.objects.get(name="Support"))
    client.force_login(sam)
    for model in admin.site._registry:
        if model._meta.app_label != "auth":
            name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
            assert client.get(reverse(f"{name}_changelist")).status_code == 200
            assert client.get(reverse(f"{name}_add")).status_code == 403
    assert client.post(reverse("admin:tenants_tenant_change", args=[acme.pk]), {"name": "Mine"}).status_code == 403
    assert not AuditEvent.objects.exists()


# --- Nobody gives themselves more -------------------------------------------------------------------------------------


@pytest.fixture
def otto(client: Client) -> User:
    """Of the group Operators, and no superuser."""
    make_groups()
    user = factories.make_user("otto", is_staff=True)
    user.groups.add(Group.objects.get(name="Operators"))
    client.force_login(user)
    return user


def user_form(user: User, **changes: Any) -> dict[str, Any]:
    inline = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    given = {"username": user.username, "email": user.email, "time_zone": "UTC", "is_active": "on", "language": "", **inline}
    return given | {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"} | changes


@pytest.mark.parametrize("of", ["self", "member"])
def test_an_operator_makes_nobody_more_than_they_are(client: Client, otto: User, alice: User, of: str) -> None:
    person = otto if of == "self" else alice
    before = (person.is_staff, person.is_superuser)
    url = reverse("admin:tenants_user_change", args=[person.pk])
    groups = [group.pk for group in Group.objects.all()]
    answer = client.post(url, user_form(person, is_superuser="on", is_staff="on", groups=groups, first_name="New"))
    assert answer.status_code == 302
    person.refresh_from_db()
    assert person.first_name == "New"
    assert (person.is_staff, person.is_superuser) == before
    assert {group.name for group in person.groups.all()} == ({"Operators"} if of == "self" else set())


def test_an_operator_does_not_become_another_by_their_password(client: Client, otto: User, olga: User) -> None:
    given = {"password1": "mine-from-now-on", "password2": "mine-from-now-on", "usable_password": "true"}
    assert client.post(f"/admin/tenants/user/{olga.pk}/password/", given).status_code == 403
    assert (
        client.post(reverse("admin:tenants_user_change", args=[olga.pk]), user_form(olga, email="x@example.org")).status_code
        == 403
    )
    assert client.post(reverse("admin:tenants_user_delete", args=[olga.pk]), {"post": "yes"}).status_code == 403
    olga.refresh_from_db()
    assert not olga.has_usable_password()
    assert olga.email == "olga@example.org"


def test_an_operator_deletes_no_other_in_bulk(client: Client, otto: User, olga: User) -> None:
    data = {"action": "delete_selected", "_selected_action": [str(olga.pk)], "post": "yes"}
    client.post(reverse("admin:tenants_user_changelist"), data)
    assert User.objects.filter(pk=olga.pk).exists()


# --- Every change is recorded -----------------------------------------------------------------------------------------


def test_every_table_of_the_console_is_audited() -> None:
    assert {model._meta.label for model, page in admin.site._registry.items() if not isinstance(page, AuditedAdmin)} == set()


def tenant_form(**changes: Any) -> dict[str, Any]:
    inlines = {f"{name}-{count}_FORMS": "0" for name in ("memberships", "quotas") for count in ("TOTAL", "INITIAL")}
    return inlines | {"name": "Acme Studio", "burst_after_seconds": "45"} | changes


def test_a_changed_row_is_recorded_field_by_field_and_once(operator: Client, olga: User, acme: Tenant) -> None:
    form, url = tenant_form(burst_after_seconds="9", may_burst="on"), reverse("admin:tenants_tenant_change", args=[acme.pk])
    assert operator.post(url, form, REMOTE_ADDR="192.0.2.7").status_code == 302
    event = AuditEvent.objects.get()
    assert (event.kind, event.actor, event.tenant, event.behind) == ("console.changed", olga, acme, None)
    assert (event.via, event.address) == ("admin", "192.0.2.7")
    assert (event.subject_kind, event.subject_id, event.subject_name) == ("tenant", "acme", "Acme Studio")
    assert event.details == {
        "model": "tenant",
        "burst_after_seconds": {"from": 45, "to": 9},
        "may_burst": {"from": False, "to": True},
    }
    assert not LogEntry.objects.exists()
    assert operator.post(url, form).status_code == 302
    assert AuditEvent.objects.count() == 1


def test_what_an_operation_records_the_form_does_not(operator: Client, acme: Tenant) -> None:
    url = reverse("admin:tenants_tenant_change", args=[acme.pk])
    assert operator.post(url, tenant_form(name="Acme Pictures", may_burst="on")).status_code == 302
    told = {event.kind: event.details for event in AuditEvent.objects.filter(tenant=acme)}
    assert set(told) == {"tenant.renamed", "console.changed"}
    assert set(told["console.changed"]) == {"model", "may_burst"}


def test_deleting_is_recorded_one_by_one_and_in_bulk(operator: Client, olga: User) -> None:
    classes = [factories.make_gpu_class(f"class-{number}") for number in range(3)]
    operator.post(reverse("admin:engines_gpuclass_delete", args=[classes[0].pk]), {"post": "yes"})
    selected = [str(each.pk) for each in classes[1:]]
    operator.post(
        reverse("admin:engines_gpuclass_changelist"), {"action": "delete_selected", "_selected_action": selected, "post": "yes"}
    )
    assert not GpuClass.objects.exists()
    assert sorted(AuditEvent.objects.values_list("kind", "subject_id")) == [
        ("console.deleted", f"class-{number}") for number in range(3)
    ]


def test_a_person_of_whom_the_log_tells_cannot_be_deleted(operator: Client, acme: Tenant, alice: User) -> None:
    AuditEvent.objects.create(at=timezone.now(), kind="instance.paused", via="portal", tenant=acme, actor=alice)
    operator.post(reverse("admin:tenants_user_delete", args=[alice.pk]), {"post": "yes"})
    assert User.objects.filter(pk=alice.pk).exists()
    assert AuditEvent.objects.count() == 1


def test_passwords_and_secrets_are_told_of_and_never_told(operator: Client, alice: User, cluster: Cluster) -> None:
    given = {"password1": "a-very-new-secret", "password2": "a-very-new-secret", "usable_password": "true"}
    operator.post(f"/admin/tenants/user/{alice.pk}/password/", given)
    operator.post(
        reverse("admin:engines_clustersecret_add"), {"cluster": cluster.pk, "name": "main", "value": "a-very-new-secret"}
    )
    secret = ClusterSecret.objects.get()
    operator.post(reverse("admin:engines_clustersecret_delete", args=[secret.pk]), {"post": "yes"})
    kinds = list(AuditEvent.objects.order_by("pk").values_list("kind", flat=True))
    assert kinds == ["console.changed", "cluster.secret_stored", "cluster.secret_forgotten"]
    assert AuditEvent.objects.get(kind="console.changed").details["password"] == {"from": MASK, "to": MASK}
    told = str(list(AuditEvent.objects.values_list("details", "subject_name")))
    assert "a-very-new-secret" not in told
    assert alice.password not in told


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"url": "x", "nested": {"api_token": "s3cret"}}, {"url": "x", "nested": {"api_token": MASK}}),
        (
            {"HF_TOKEN": "s3cret", "AWS_SECRET_ACCESS_KEY": "x", "key_id": "k1"},
            {"HF_TOKEN": MASK, "AWS_SECRET_ACCESS_KEY": MASK, "key_id": "k1"},
        ),
        ([{"password": "x"}], [{"password": MASK}]),
        ("x" * 400, "x" * 300 + "…"),
        (True, True),
        (None, None),
    ],
)
def test_what_names_call_secret_is_masked_and_what_is_long_is_cut(value: object, expected: object) -> None:
    assert plain(value) == expected


def test_a_rows_history_is_its_part_of_the_log(operator: Client, acme: Tenant) -> None:
    answer = operator.get(reverse("admin:tenants_tenant_history", args=[acme.pk]))
    assert answer.status_code == 302
    assert answer["Location"] == "/admin/tenants/auditevent/?subject_kind__exact=tenant&subject_id__exact=acme"
    assert operator.get(answer["Location"]).status_code == 200


def test_bulk_actions_are_recorded_by_their_operations(
    operator: Client, olga: User, acme: Tenant, alice: User, cluster: Cluster
) -> None:
    rows = [factories.make_instance(acme, alice, cluster, state="running") for _ in range(2)]
    data = {"action": "pause", "_selected_action": [str(row.pk) for row in rows]}
    operator.post(reverse("admin:engines_instance_changelist"), data)
    events = AuditEvent.objects.filter(kind="instance.paused")
    assert {(event.actor, event.behind, event.tenant, event.via) for event in events} == {(olga, None, acme, "admin")}
    assert {event.subject_id for event in events} == {row.slug for row in rows}


def test_a_price_is_recorded_once_by_its_operation(operator: Client, acme: Tenant) -> None:
    gpu_class = factories.make_gpu_class()
    form = {
        "gpu_class": gpu_class.pk,
        "tenant": acme.pk,
        "per_hour": "1.5",
        "starts_at_0": "2026-03-10",
        "starts_at_1": "12:00:00",
    }
    assert operator.post(reverse("admin:billing_price_add"), form).status_code == 302
    event = AuditEvent.objects.get()
    assert (event.kind, event.tenant, event.subject_id) == ("price.set", acme, gpu_class.slug)
    assert event.details["per_hour"]["from"] is None


def test_owners_see_what_operators_changed_of_their_tenant(operator: Client, acme: Tenant, anna: User) -> None:
    operator.post(reverse("admin:tenants_tenant_change", args=[acme.pk]), tenant_form(may_burst="on"))
    browser = Client()
    browser.force_login(anna)
    page = browser.get("/acme/team/audit/").content.decode()
    assert "no → yes" in page
    assert page.count("<b>olga</b>") == 1
