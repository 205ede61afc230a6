"""Formulas with their numbers put in, as people can check them; every digit, and the same in every language. Pure."""

from decimal import Decimal

from billing.insights.auto_pause import Choice
from billing.insights.pooling import Pool
from billing.insights.releases import Spared
from billing.insights.right_size import Observed, Size
from billing.insights.time_sharing import Life
from billing.insights.waste import Waste
from billing.money import Money
from billing.rating import amount_of


def time_sharing(name: str, life: Life, currency: str) -> str:
    """p · (L − R) ÷ 3600."""
    saved = amount_of(life.per_hour, life.seconds) - amount_of(life.per_hour, life.charged_seconds)
    times = f"({life.seconds} s − {life.charged_seconds} s) ÷ 3600"
    return f"{name}: {_plain(life.per_hour, currency)} × {times} = {_money(saved, currency)}"


def pooling(name: str, found: Pool, per_hour: Decimal, currency: str) -> str:
    """N ÷ K; p · K · W ÷ 3600; R ÷ (K · W)."""
    price, window = _plain(per_hour, currency), f"{found.window_seconds} s"
    parts = [
        f"{found.instances} ÷ {found.peak} = {found.factor}",
        f"{price} × {found.peak} × {window} ÷ 3600 = {_money(found.cost, currency)}",
        f"{found.used_seconds} s ÷ ({found.peak} × {window}) = {found.utilisation}",
    ]
    return f"{name}: {'; '.join(parts)}"


def idle(name: str, found: Waste, per_hour: Decimal, currency: str) -> str:
    """p · (R − A) ÷ 3600; of the whole, which its causes add up to but for their rounding."""
    cost = amount_of(per_hour, found.idle_seconds)
    return f"{name}: {_plain(per_hour, currency)} × ({found.charged} s − {found.active} s) ÷ 3600 = {_money(cost, currency)}"


def active_hour(name: str, cost: Decimal, active_seconds: int, found: Decimal, currency: str) -> str:
    """p · R ÷ A."""
    return f"{name}: {_money(cost, currency)} × 3600 ÷ {active_seconds} s = {_money(found, currency)}"


def picture(name: str, cost: Decimal, pictures: int, found: Decimal, currency: str) -> str:
    """Cost ÷ pictures."""
    return f"{name}: {_money(cost, currency)} ÷ {pictures} = {_money(found, currency)}"


def pausing(found: Choice, start_seconds: int, currency: str) -> str:
    """Σ max(0, gap − T) − ρ · resumes."""
    gaps = found.saved_seconds + start_seconds * found.resumes
    times = f"{gaps} s − {start_seconds} s × {found.resumes} = {found.saved_seconds} s"
    return f"T = {found.minutes} min: {times}, {_money(found.amount, currency)}"


def releases(name: str, found: Spared, per_hour: Decimal, currency: str) -> str:
    """p · Σ D ÷ 3600."""
    saved = _money(amount_of(per_hour, found.seconds), currency)
    return f"{name}: n = {found.releases}; {_plain(per_hour, currency)} × {found.seconds} s ÷ 3600 = {saved}"


def sizing(name: str, found: Size, observed: Observed, currency: str) -> str:
    """p ÷ p'; 0.85 · p ÷ p'; (p ÷ p' − (1 − a)) ÷ a."""
    present, other = _plain(observed.per_hour, currency), _plain(found.other.per_hour, currency)
    part = f"{observed.active_part:.4f}"
    parts = [
        f"{present} ÷ {other} = {found.break_even_active}",
        f"0.85 × {present} ÷ {other} = {found.slowest_that_saves}",
        f"({present} ÷ {other} − (1 − {part})) ÷ {part} = {found.break_even}",
    ]
    return f"{name}, {found.other.name}: {'; '.join(parts)}"


def _plain(amount: Decimal, currency: str) -> str:
    return Money(amount, currency).exact.partition(" ")[2]


def _money(amount: Decimal, currency: str) -> str:
    return Money(amount, currency).exact
