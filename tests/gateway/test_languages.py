"""Somebody who opens a page is refused in their browser's language; programs are answered in English."""

import pytest
from django.utils.translation import gettext

from gateway.languages import in_language_of
from gateway.rules import Visit
from tests.gateway.driving import NAVIGATION, SCRIPT

SENTENCE = "There is nothing here, or it is not yours."


@pytest.mark.parametrize(
    ("headers", "language", "said"),
    [
        (NAVIGATION, "zh-CN,zh;q=0.9,en;q=0.8", "这里没有内容，或者它不属于您。"),
        (NAVIGATION, "fr, en;q=0.5", SENTENCE),
        (NAVIGATION, "no such \x00 thing;q=x", SENTENCE),
        (SCRIPT, "zh-CN", SENTENCE),
    ],
)
def test_the_browsers_language(headers, language, said):
    sent = {name.lower().encode(): value.encode() for name, value in {**headers, "Accept-Language": language}.items()}
    visit = Visit(own_origin=b"http://x.engines.localhost", method=b"GET", headers=sent, is_websocket=False)
    with in_language_of(visit):
        assert gettext(SENTENCE) == said
    assert gettext(SENTENCE) == SENTENCE


def test_the_page_of_a_refusal(gateway, signed_in, instance, alice):
    alice.memberships.update(role="viewer")
    page = gateway.visit(instance, cookie=signed_in, Accept_Language="zh-CN")
    assert page.status == 403
    assert '<html lang="zh-hans">' in page.body.decode()
    assert "您在 Acme Studio 中的角色没有此权限。" in page.body.decode()
