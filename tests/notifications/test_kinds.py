"""Every kind has its words and its link."""

import re

import pytest
from django.utils import timezone, translation

from tenants.notifications.kind import Category, Channel, Kind
from tenants.notifications.kinds import KINDS

EVERY_KIND = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


@EVERY_KIND
def test_the_example_fills_the_words(kind: Kind) -> None:
    words = kind.words(kind.example)
    assert not re.search(r"[%\n]|  ", words.title + words.sentence)
    assert words.sentence.removesuffix("”").endswith(".")
    assert not words.title.endswith(".")


@EVERY_KIND
def test_every_key_of_the_example_is_shown(kind: Kind) -> None:
    class Seen(dict):
        def __getitem__(self, key: str) -> object:
            shown.add(key)
            return super().__getitem__(key)

    shown: set[str] = set()
    assert str(kind.title % Seen(kind.example))
    assert str(kind.sentence % Seen(kind.example))
    assert shown == set(kind.example)


@EVERY_KIND
def test_the_link_leads_to_a_page_of_the_tenant(kind: Kind) -> None:
    elsewhere = {"invitation": "/invitations/", "member_removed": "/"}
    assert kind.link("acme", "7f3k2qxbcd").startswith(elsewhere.get(kind.name, "/acme/"))


def test_security_is_always_mailed() -> None:
    security = [kind for kind in KINDS.values() if kind.category is Category.SECURITY]
    assert [kind.name for kind in security] == ["invitation", "token_created"]
    assert all(Channel.EMAIL in kind.channels and not kind.optional for kind in security)


def test_events_of_webhooks_are_unique_and_legal() -> None:
    events = [kind.event for kind in KINDS.values()]
    assert len(set(events)) == len(events)
    assert all(re.fullmatch(r"[a-z_]+\.[a-z_]+", event) for event in events)


def test_a_number_chooses_its_plural() -> None:
    warning = KINDS["idle_warning"]
    assert warning.words({"name": "Dragon", "minutes": 1}).title == "“Dragon” will be paused in 1 minute"
    assert warning.words({"name": "Dragon", "minutes": 2}).title == "“Dragon” will be paused in 2 minutes"


def test_moments_are_the_readers() -> None:
    context = {"name": "Dragon", "ends_at": "2027-01-31T18:00:00+00:00"}
    with timezone.override("Asia/Shanghai"):
        sentence = KINDS["life_ends"].words(context).sentence
    assert sentence.startswith("It will be paused at 2027-02-01 02:00:00 CST or")


def test_why_is_translated_and_names_are_not() -> None:
    with translation.override("zh-hans"):
        words = KINDS["instance_failed"].words({"name": "Failed", "why": "Failed"})
    assert words.sentence.startswith("失败")
    assert "“Failed”" in words.title


def test_line_breaks_in_names_stay_out_of_titles() -> None:
    assert KINDS["share_ended"].words({"name": "Dra\r\ngon"}).title == "“Dra gon” is no longer shared with you"


@pytest.mark.parametrize("context", [{}, {"name": "Dragon"}, {"name": "Dragon", "minutes": 1, "hours": 1}])
def test_a_context_with_other_keys_is_refused(context: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"idle_warning needs \['minutes', 'name'\]"):
        KINDS["idle_warning"].require(context)
