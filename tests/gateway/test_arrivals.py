"""Who may have an engine started by visiting it: every kind of request that reaches an engine's host, or the waking page itself.

The headers are what Chromium 156 sends at every step of such a chain.
"""

import pytest
from django.urls import reverse

from engines.models import Instance, InstanceEvent
from gateway.arrivals import Arrival, arrival_of
from tests.gateway.driving import NAVIGATION, SCRIPT

PAGE = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
HAND = {"Sec-Fetch-User": "?1"}
CHAINS = {
    "typed": (PAGE | HAND | {"Sec-Fetch-Site": "none"}, Arrival.BY_HAND),
    "clicked in the portal": (PAGE | HAND | {"Sec-Fetch-Site": "cross-site"}, Arrival.BY_HAND),
    "clicked elsewhere": (PAGE | HAND | {"Sec-Fetch-Site": "cross-site"}, Arrival.BY_HAND),
    "reloaded": (PAGE | HAND | {"Sec-Fetch-Site": "same-origin"}, Arrival.BY_HAND),
    "signed in on the way": (PAGE | HAND | {"Sec-Fetch-Site": "same-origin"}, Arrival.BY_HAND),
    "an old tab opened again": (PAGE | {"Sec-Fetch-Site": "none"}, Arrival.DIRECT),
    "a page of the portal that reloads by itself": (PAGE | {"Sec-Fetch-Site": "same-origin"}, Arrival.SENT),
    "another site's script": (PAGE | {"Sec-Fetch-Site": "cross-site"}, Arrival.SENT),
    "an engine's page that goes on or reloads": (PAGE | {"Sec-Fetch-Site": "cross-site"}, Arrival.SENT),
    "the same under one domain": (PAGE | {"Sec-Fetch-Site": "same-site"}, Arrival.SENT),
    "a frame": (PAGE | HAND | {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "iframe"}, Arrival.SENT),
    "link prefetch": (
        {"Sec-Purpose": "prefetch", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "empty"},
        Arrival.SENT,
    ),
    "speculative prefetch": (PAGE | {"Sec-Fetch-Site": "none", "Sec-Purpose": "prefetch"}, Arrival.SENT),
    "prerender": (PAGE | HAND | {"Sec-Fetch-Site": "none", "Sec-Purpose": "prefetch;prerender"}, Arrival.SENT),
    "older prefetch": (PAGE | HAND | {"Sec-Fetch-Site": "none", "Purpose": "prefetch"}, Arrival.SENT),
    "Firefox before Sec-Purpose": (PAGE | HAND | {"Sec-Fetch-Site": "none", "X-Moz": "prefetch"}, Arrival.SENT),
    "fetch": (SCRIPT, Arrival.SENT),
    "a browser that does not say": ({"Accept": "text/html"}, Arrival.SENT),
    "a crawler": ({"User-Agent": "Googlebot/2.1"}, Arrival.SENT),
}


@pytest.mark.parametrize(("headers", "arrival"), CHAINS.values(), ids=CHAINS)
def test_the_headers_of_a_chain_tell_how_somebody_came(headers, arrival):
    assert arrival_of(headers) is arrival


ARMED = {Arrival.BY_HAND: 'data-wake="now"', Arrival.DIRECT: 'data-wake="seen"', Arrival.SENT: None}


@pytest.mark.parametrize(("headers", "arrival"), CHAINS.values(), ids=CHAINS)
def test_only_a_page_that_a_person_opened_starts_the_engine(make_row, alice_client, headers, arrival):
    instance = make_row(state="stopped", desired_state="stopped")
    answer = alice_client.get(reverse("waking", args=[instance.slug]), headers=headers)
    assert answer.status_code == 200
    page = answer.content.decode()
    assert [armed for armed in ARMED.values() if armed and armed in page] == [ARMED[arrival]] * (arrival is not Arrival.SENT)
    assert ("Another page led here" in page) == (arrival is Arrival.SENT)
    assert 'type="submit"' in page  # the click that is always possible
    assert_untouched(instance)


# To a paused engine's host, with a pass: (method, headers) -> the waking page, or a refusal for programs.
AT_THE_ENGINE = {
    "navigation": ("GET", NAVIGATION, 302),
    "cross-site navigation": ("GET", NAVIGATION | {"Sec-Fetch-Site": "cross-site"}, 302),
    "an old browser": ("GET", {"Accept": "text/html"}, 302),
    "form": ("POST", NAVIGATION | {"Sec-Fetch-Site": "same-origin"}, 503),
    "fetch": ("GET", SCRIPT, 503),
    "API call": ("POST", SCRIPT, 503),
    "HEAD": ("HEAD", {"Accept": "text/html"}, 503),
    "asset": ("GET", {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image", "Sec-Fetch-Site": "same-origin"}, 503),
    "event stream": ("GET", SCRIPT | {"Accept": "text/event-stream"}, 503),
    "curl": ("GET", {"Accept": "*/*", "User-Agent": "curl/8"}, 503),
    "link prefetch": ("GET", {"Sec-Purpose": "prefetch", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "empty"}, 503),
    "prefetch of a page": ("GET", NAVIGATION | {"Sec-Purpose": "prefetch"}, 503),
    "prerender": ("GET", NAVIGATION | {"Sec-Purpose": "prefetch;prerender"}, 503),
    "prefetch from elsewhere": ("GET", NAVIGATION | {"Sec-Purpose": "prefetch", "Sec-Fetch-Site": "cross-site"}, 403),
    "frame": ("GET", NAVIGATION | {"Sec-Fetch-Dest": "iframe", "Sec-Fetch-Site": "cross-site"}, 403),
    "another site's fetch": ("GET", SCRIPT | {"Sec-Fetch-Site": "cross-site"}, 403),
}


def test_nothing_but_an_opened_page_comes_to_the_waking_page_and_nothing_at_all_wakes(gateway, instance, signed_in):
    Instance.objects.filter(pk=instance.pk).update(state="stopped", desired_state="stopped")
    host = gateway.host(instance)
    for name, (method, headers, status) in AT_THE_ENGINE.items():
        answer = gateway.send(host, "/deep?link=1", method, headers | {"Cookie": signed_in})
        assert answer.status == status, name
        if status == 503:
            assert (answer["Retry-After"], answer["Content-Type"]) == ("60", "application/json"), name
            said = {"state": "stopped", "message": f"{instance.name} is paused."}
            assert method == "HEAD" or answer.json() == said, name
    assert_untouched(instance)


def test_without_a_pass_a_prefetch_does_not_even_sign_in(gateway, instance):
    assert gateway.visit(instance, Sec_Purpose="prefetch").status == 401
    assert gateway.visit(instance).status == 302


def assert_untouched(instance: Instance) -> None:
    instance.refresh_from_db()
    assert (instance.desired_state, instance.generation, InstanceEvent.objects.count()) == ("stopped", 1, 0)
