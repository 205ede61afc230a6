"""The charts of the costs pages in a real browser: pointed at, by keyboard, one series alone, and as a table."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.test_story import sign_in

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("stack")]


def test_a_chart_tells_its_amounts_and_leads_to_them(page: Page) -> None:
    sign_in(page, "anna")
    page.goto("/acme/costs/")
    chart = page.locator(".chart").first
    places, tip = chart.locator("[data-chart-place]"), chart.locator("[data-chart-tip]")
    expect(places).to_have_count(12)
    places.nth(4).hover()
    expect(tip).to_contain_text(re.compile(r"USD [0-9]+\.[0-9]{2}"))
    expect(tip.locator("strong")).to_have_text(places.nth(4).get_attribute("data-title") or "")
    places.nth(11).focus()
    page.keyboard.press("ArrowLeft")
    expect(places.nth(10)).to_be_focused()
    expect(tip.locator("strong")).to_have_text(places.nth(10).get_attribute("data-title") or "")
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    legend = chart.locator("[data-chart-series='2']")
    legend.click()
    expect(legend).to_have_attribute("aria-pressed", "true")
    expect(chart.locator(".is-chosen")).to_have_count(12)
    chart.locator("summary").click()
    expect(chart.locator("tbody tr")).to_have_count(12)
    month = places.nth(10).get_attribute("href") or ""
    places.nth(10).focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/acme/costs/{month}")
    page.locator(".kpi__value a").first.click()
    page.wait_for_url(f"**/acme/costs/lines/{month}")
    page.locator(".costs--phone tbody a").first.click()
    expect(page.locator(".formula")).to_contain_text("÷ 3600 =")
