"""From an address to a member: invite, mail, account, and from one tenant to another."""

import re
import uuid

import pytest
from playwright.sync_api import Browser, Page, expect

from aigc_portal.demo_accounts import DEMO_PASSWORD
from tests.e2e.test_story import sign_in
from tests.stack import Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("stack")]


def invite(page: Page, stack: Stack, address: str, role: str) -> str:
    """Invite as who is signed in; return the link of the mail, which the demo writes into a file."""
    known = set(links(stack))
    page.goto("/acme/team/")
    page.get_by_role("link", name="Invite somebody").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("E-mail address").fill(address)
    dialog.get_by_role("radio", name=re.compile(f"^{role}")).check()
    dialog.get_by_role("button", name="Send the invitation").click()
    expect(page.get_by_text(f"An invitation is on its way to {address}.")).to_be_visible()
    wait_until(lambda: set(links(stack)) - known)
    [link] = set(links(stack)) - known
    return link


def links(stack: Stack) -> list[str]:
    letters = [each.read_text() for each in (stack.data_dir / "mail").glob("*")]
    return re.findall(r"http://portal\.localhost:[0-9]+(/invitations/[0-9a-f]{64}/)", "\n".join(letters))


def test_a_new_person_comes_in_by_the_mail_and_goes_again(page: Page, browser: Browser, stack: Stack) -> None:
    name = f"carol-{uuid.uuid4().hex[:6]}"
    sign_in(page, "anna")
    link = invite(page, stack, f"{name}@example.org", "Viewer")
    with browser.new_context(base_url=stack.portal) as context:
        carol = context.new_page()
        carol.goto(link)
        expect(carol.get_by_label("E-mail address")).to_have_value(f"{name}@example.org")
        carol.get_by_label("Your name").fill(name)
        carol.get_by_label("Password", exact=True).fill("a-long-secret-1")
        carol.get_by_label("Password (again)").fill("a-long-secret-1")
        carol.get_by_role("button", name="Make my account and join Acme Studio").click()
        expect(carol.get_by_text("Welcome to Acme Studio.")).to_be_visible()
        expect(carol.get_by_role("link", name="Launch an engine")).to_have_count(0)  # a viewer
        carol.goto("/acme/team/")
        expect(carol.get_by_role("row", name=name)).to_contain_text("Viewer")

        page.goto("/acme/team/")
        row = page.get_by_role("row", name=name)
        row.get_by_role("link", name=f"Change the role of {name}").click()
        page.get_by_role("dialog").get_by_role("radio", name=re.compile("^Member")).check()
        page.get_by_role("button", name="Change role").click()
        expect(row).to_contain_text("Member")
        carol.goto("/acme/launch/")
        expect(carol.get_by_role("heading", name="Launch an engine")).to_be_visible()

        row.get_by_role("link", name=f"Remove {name}").click()
        page.get_by_role("button", name="Remove", exact=True).click()
        expect(page.get_by_text(f"{name} is no longer a member.")).to_be_visible()
        carol.goto("/")
        expect(carol.get_by_role("heading", name="not a member of a tenant yet")).to_be_visible()


def test_somebody_with_an_account_joins_and_switches_within_the_same_part(page: Page, browser: Browser, stack: Stack) -> None:
    sign_in(page, "anna")
    link = invite(page, stack, "bob@example.org", "Member")
    page.goto(link)
    expect(page.get_by_text("this invitation is for bob@example.org")).to_be_visible()
    with browser.new_context(base_url=stack.portal) as context:
        bob = context.new_page()
        bob.goto(link)
        bob.get_by_role("main").get_by_role("link", name="Sign in").click()
        bob.get_by_label("Login").fill("bob")
        bob.get_by_label("Password").fill(DEMO_PASSWORD)
        bob.get_by_role("button", name="Sign in").click()
        bob.get_by_role("button", name="Join Acme Studio").click()
        expect(bob.get_by_text("Welcome to Acme Studio.")).to_be_visible()
        bob.goto("/bolt/team/")
        bob.get_by_label("Tenant Bolt Pictures, switch").click()
        bob.get_by_role("link", name="Acme Studio").click()
        expect(bob).to_have_url(re.compile("/acme/team/$"))
        bob.get_by_role("link", name="Leave the team").click()
        bob.get_by_role("button", name="Leave", exact=True).click()
        expect(bob.get_by_text("You left Acme Studio.")).to_be_visible()
        expect(bob).to_have_url(re.compile("/bolt/$"))
