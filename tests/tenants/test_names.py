"""Names that people tell apart by reading."""

import pytest
from django.db import IntegrityError

from tenants.models import Tenant, User
from tenants.names import NAME_LENGTH, BadName, readable_name, tidy
from tests import factories


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("  Acme   Studio ", "Acme Studio"),
        ("Acme\u00a0Studio", "Acme Studio"),
        ("Acme\u3000Studio", "Acme Studio"),
        ("Ａｃｍｅ　Ｓｔｕｄｉｏ", "Acme Studio"),
        ("Ac\u200bme\u2060 Stu\u00addio\ufeff", "Acme Studio"),
        ("\u202eAcme Studio", "Acme Studio"),
        ("Acme\nStudio\t", "Acme Studio"),
        ("ﬁlm", "film"),
        ("幻影工作室", "幻影工作室"),
        ("Кино Студия", "Кино Студия"),
        ("Студия Acme", "Студия Acme"),
    ],
)
def test_what_looks_the_same_is_stored_the_same(typed, stored):
    assert tidy(typed) == stored
    assert readable_name(typed) == stored


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "Give it a name."),
        (" \u200b ", "Give it a name."),
        ("x" * (NAME_LENGTH + 1), "The name is longer than 80 characters."),
        ("Аcme Studio", "“Аcme” mixes letters of different scripts that look alike."),  # the first letter is Cyrillic
        ("Acme Studiο", "“Studiο” mixes letters of different scripts that look alike."),  # the last is Greek
    ],
)
def test_what_cannot_be_read_is_refused(name, sentence):
    with pytest.raises(BadName) as refused:
        readable_name(name)
    assert str(refused.value) == sentence


def test_the_database_holds_one_tenant_of_a_name_whatever_its_case(acme):
    with pytest.raises(IntegrityError, match="tenant_name_ci_unique"):
        factories.make_tenant("other", name="ACME studio")


def test_a_slug_is_never_used_again_and_the_name_is_free(acme):
    Tenant.objects.update(deletion_due_at="2026-01-01T00:00Z", deleted_at="2026-01-01T00:00Z")
    factories.make_tenant("acme-2", name="Acme Studio")
    with pytest.raises(IntegrityError, match="slug"):
        factories.make_tenant("acme", name="Another")


@pytest.mark.django_db
def test_the_database_holds_one_person_of_a_name_whatever_its_case():
    factories.make_user("carol")
    with pytest.raises(IntegrityError, match="user_username_ci_unique"):
        User.objects.create(username="Carol", email="other@example.org")
