"""What people are told of costs: budgets that are being used up, and what that stops."""

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from tenants.notifications.kind import Category, Kind


def _budgets(tenant_slug: str, _subject: str) -> str:
    return reverse("budgets", args=[tenant_slug])


COST_KINDS = (
    Kind(
        name="budget_threshold",
        event="budget.threshold",
        category=Category.COSTS,
        label=_("A budget is partly spent"),
        title=_("%(percent)d per cent of the budget “%(name)s” is spent"),
        sentence=_("%(spent)s of %(amount)s is spent in its present period, with what runs now as estimated."),
        link=_budgets,
        example={"name": "Spring campaign", "percent": 80, "spent": "USD 812.50", "amount": "USD 1,000.00"},
    ),
    Kind(
        name="budget_used_up",
        event="budget.used_up",
        category=Category.COSTS,
        label=_("A budget is used up, or exceeded"),
        title=_("The budget “%(name)s” is used up: %(percent)d per cent"),
        sentence=_("%(spent)s is spent in its present period, of %(amount)s. Its page says what happens now."),
        link=_budgets,
        example={"name": "Spring campaign", "percent": 100, "spent": "USD 1,000.10", "amount": "USD 1,000.00"},
    ),
    Kind(
        name="budget_forecast",
        event="budget.forecast",
        category=Category.COSTS,
        label=_("A budget will probably be spent"),
        title=_("%(percent)d per cent of the budget “%(name)s” will probably be spent"),
        sentence=_("At %(ends_at)s it will probably come to %(likely)s, of %(amount)s."),
        link=_budgets,
        example={
            "name": "Spring campaign",
            "percent": 100,
            "likely": "USD 1,090.00",
            "amount": "USD 1,000.00",
            "ends_at": "2027-01-31T23:00:00+00:00",
        },
    ),
    Kind(
        name="budget_pausing",
        event="budget.pausing",
        category=Category.COSTS,
        label=_("Engines are about to be paused because a budget is used up"),
        title=_("The budget “%(name)s” is used up, and engines will be paused"),
        sentence=_("%(engines)s: paused at %(pauses_at)s unless the budget is raised by then. Save your work; data is kept."),
        link=_budgets,
        example={"name": "Spring campaign", "engines": "Dragon, Wyvern", "pauses_at": "2027-01-20T18:30:00+00:00"},
    ),
    Kind(
        name="budget_paused",
        event="budget.paused",
        category=Category.COSTS,
        label=_("Engines were paused because a budget is used up"),
        title=_("Engines were paused: the budget “%(name)s” is used up"),
        sentence=_("%(engines)s: paused, with all data kept. They can be resumed once there is room in the budget."),
        link=_budgets,
        example={"name": "Spring campaign", "engines": "Dragon, Wyvern"},
    ),
)
