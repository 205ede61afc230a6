"""From one tenant to another: the same part of it, and suspended ones are marked."""

import pytest
from django.utils import timezone

from tenants.models import Tenant
from tenants.switcher import SEARCH_FROM
from tests import factories


@pytest.fixture
def in_both(alice, acme, bolt, client):
    factories.join(alice, bolt)
    client.force_login(alice)
    return client


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("/acme/", "/bolt/"),
        ("/acme/launch/", "/bolt/"),
        ("/acme/data/", "/bolt/data/"),
        ("/acme/costs/", "/bolt/costs/"),
        ("/acme/team/", "/bolt/team/"),
        ("/acme/team/leave/", "/bolt/team/"),
        ("/acme/notifications/", "/bolt/notifications/"),
        ("/acme/release/", "/bolt/release/"),
        ("/acme/api/", "/bolt/api/"),
    ],
)
def test_the_part_is_kept(here, there, in_both, gpu_class):
    page = in_both.get(here)
    assert f'<a href="{there}"><span class="switcher__name">Bolt Pictures</span>' in page.content.decode()
    assert in_both.get(there).status_code == 200


def test_a_suspended_tenant_is_marked_and_a_few_are_not_searched(in_both):
    Tenant.objects.filter(slug="bolt").update(suspended_at=timezone.now())
    page = in_both.get("/acme/").content.decode()
    assert '<span class="switcher__name">Bolt Pictures</span> <span class="tag">suspended</span>' in page
    assert "switcher__search" not in page


def test_many_are_searched(in_both, alice):
    for number in range(SEARCH_FROM - 2):
        factories.join(alice, factories.make_tenant(f"studio-{number}"))
    assert in_both.get("/acme/").content.decode().count('class="switcher__search"') == 1
