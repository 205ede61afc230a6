"""Everything of a tenant in one archive, and nothing of another."""

import csv
import io
import zipfile

import pytest
from django.utils import timezone

from aigc_portal import tenant_archive
from aigc_portal.spreadsheets import BYTE_ORDER_MARK
from engines.operations.instances import launch_instance
from tenants.audit.models import AuditEvent
from tenants.models import Tenant
from tests import factories


@pytest.fixture
def filled(acme, anna, alice_in_acme, bob_in_bolt, cluster):
    version, gpu_class = factories.make_engine_version(), factories.make_gpu_class()
    launch_instance(membership=alice_in_acme, engine_version=version, gpu_class=gpu_class, name="=Dragon")
    factories.invite(acme, "carol@example.org", invited_by=anna)
    factories.make_instance(bob_in_bolt.tenant, bob_in_bolt.user, cluster, name="Secret plans")
    factories.invite(bob_in_bolt.tenant, "secret@example.org")


def unpacked(answer):
    archive = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))
    assert archive.testzip() is None
    texts = {name: archive.read(name).decode() for name in archive.namelist()}
    assert all(text.startswith(BYTE_ORDER_MARK) for text in texts.values())
    return {name: list(csv.DictReader(io.StringIO(text[1:]))) for name, text in texts.items()}


def test_an_owner_takes_everything_along(filled, anna, client):
    client.force_login(anna)
    answer = client.get("/acme/team/settings/export/")
    assert answer["Content-Type"] == "application/zip"
    assert answer["Content-Disposition"].startswith('attachment; filename="acme-2')
    files = unpacked(answer)
    assert {name: len(rows) for name, rows in files.items()} == {
        "acme/members.csv": 2,
        "acme/invitations.csv": 1,
        "acme/engines.csv": 1,
        "acme/data.csv": 1,
        "acme/history.csv": 1,
        "acme/audit.csv": AuditEvent.objects.count(),
        "acme/charges.csv": 0,
    }
    assert {row["username"]: row["role"] for row in files["acme/members.csv"]} == {"anna": "owner", "alice": "member"}
    [engine] = files["acme/engines.csv"]
    assert (engine["name"], engine["owner"], engine["deleted_at"]) == ("'=Dragon", "alice", "")  # no formula in a spreadsheet
    assert "ecret" not in str(files)
    assert AuditEvent.objects.order_by("pk").last().kind == "tenant.exported"


def test_pages_of_rows_are_joined(filled, anna, client, monkeypatch, acme):
    monkeypatch.setattr(tenant_archive, "PAGE_ROWS", 2)
    for number in range(5):
        factories.join(factories.make_user(f"person{number}"), acme)
    client.force_login(anna)
    names = [row["username"] for row in unpacked(client.get("/acme/team/settings/export/"))["acme/members.csv"]]
    assert sorted(names) == ["alice", "anna", *(f"person{number}" for number in range(5))]


def test_an_operator_exports_what_is_deleted(filled, acme, olga, client):
    now = timezone.now()
    Tenant.objects.filter(pk=acme.pk).update(deletion_due_at=now, deleted_at=now)
    client.force_login(olga)
    assert client.get(f"/admin/tenants/tenant/{acme.pk}/download/")["Location"] == f"/admin/tenants/tenant/{acme.pk}/export/"
    assert len(unpacked(client.get(f"/admin/tenants/tenant/{acme.pk}/export/"))["acme/engines.csv"]) == 1
    assert client.get("/admin/tenants/tenant/999999/export/").status_code == 404
