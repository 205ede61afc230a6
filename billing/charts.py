"""Where the parts of a chart are drawn. Pure: amounts in, positions for the templates of `billing/charts/` out.

Across, positions are percent of the width, so that a chart fits any screen and its letters keep their size; up and down they are
pixels from the top. All of them are texts, ready for attributes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from billing.money import Money

HEIGHT = 200
"""Pixels between the top and the bottom of what is drawn; the labels stand below."""
SERIES = 8
"""As many can be told apart; the last is for all others together."""
_ZERO = Decimal(0)
_GAP = Decimal("0.18")  # of a column's place, on either side
_STEPS = (Decimal(1), Decimal(2), Decimal(5), Decimal(10))
_TICKS = 4


@dataclass(frozen=True, slots=True)
class Group:
    """What stands at one place: an amount for each series, and what is estimated; where it leads."""

    label: str
    title: str
    address: str
    amounts: tuple[Decimal, ...]
    estimated: Decimal = _ZERO
    mark: str = ""  # why a line rings the place; empty where it does not

    @property
    def total(self) -> Decimal:
        """All of it, estimates included."""
        return sum(self.amounts, self.estimated)


@dataclass(frozen=True, slots=True)
class Tick:
    """A line across, and what it stands for."""

    y: str
    text: str


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a column; `number` of its series from 1, 0 for what is estimated."""

    number: int
    y: str
    height: str


@dataclass(frozen=True, slots=True)
class Column:
    """One place of a stacked chart."""

    label: str
    title: str
    address: str
    x: str
    width: str
    middle: str
    place_x: str
    slices: tuple[Slice, ...]
    total: Money
    estimated: Money
    amounts: tuple[tuple[str, Money], ...]  # of the series that have any
    cells: tuple[Money, ...]  # of every series, for the table


@dataclass(frozen=True, slots=True)
class Series:
    """One of the things that are stacked, and what it comes to over all places."""

    number: int
    label: str
    total: Money


@dataclass(frozen=True, slots=True)
class Columns:
    """A stacked chart. `name` tells it from others on the page; `place` is the width of one column with its gaps."""

    name: str
    columns: tuple[Column, ...]
    series: tuple[Series, ...]
    ticks: tuple[Tick, ...]
    zero: str
    place: str
    has_estimates: bool
    height: int = HEIGHT


@dataclass(frozen=True, slots=True)
class Point:
    """One place of a line; `booked_y` is without what is estimated."""

    label: str
    title: str
    address: str
    x: str
    y: str
    booked_y: str
    place_x: str
    amount: Money
    estimated: Money
    mark: str


@dataclass(frozen=True, slots=True)
class Segment:
    """From one point to the next; dashed where an estimate is part of either."""

    x1: str
    y1: str
    x2: str
    y2: str
    is_estimated: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A line through one amount for each place, and another across at `limit`, such as what a budget leaves for a day."""

    name: str
    points: tuple[Point, ...]
    segments: tuple[Segment, ...]
    ticks: tuple[Tick, ...]
    zero: str
    place: str
    limit: Money | None
    limit_y: str
    height: int = HEIGHT

    @property
    def has_marks(self) -> bool:
        """Tell whether any place is ringed."""
        return any(point.mark for point in self.points)


class _Scale:
    """Amounts to pixels, between round numbers that hold all of them and zero."""

    def __init__(self, amounts: Iterable[Decimal]) -> None:
        found = [_ZERO, *amounts]
        low, high = min(found), max(found)
        self._step = _round_step((high - low) / _TICKS) if high > low else Decimal(1)
        self._low = _floor(low, self._step)
        self._high = max(-_floor(-high, self._step), self._low + self._step)

    def y(self, amount: Decimal) -> Decimal:
        return HEIGHT * (self._high - amount) / (self._high - self._low)

    def ticks(self) -> tuple[Tick, ...]:
        count = int((self._high - self._low) / self._step)
        values = [self._low + self._step * number for number in range(count + 1)]
        return tuple(Tick(_text(self.y(value)), short(value)) for value in values)


def columns(name: str, labels: Sequence[str], groups: Sequence[Group], currency: str) -> Columns:
    """Stack the amounts of each group: positive ones up from zero, negative ones down from it, estimates on top.

    `labels` are those of the series, SERIES at most; every group has an amount for each.
    """
    scale = _Scale(edge for group in groups for edge in _edges(group))
    place = Decimal(100) / max(len(groups), 1)
    totals = [sum((group.amounts[number] for group in groups), _ZERO) for number in range(len(labels))]
    return Columns(
        name=name,
        columns=tuple(_column(group, labels, scale, place * number, place, currency) for number, group in enumerate(groups)),
        series=tuple(Series(number, label, Money(totals[number - 1], currency)) for number, label in enumerate(labels, 1)),
        ticks=scale.ticks(),
        zero=_text(scale.y(_ZERO)),
        place=_percent(place),
        has_estimates=any(group.estimated for group in groups),
    )


def line(name: str, groups: Sequence[Group], currency: str, *, limit: Money | None = None) -> Line:
    """Draw a line through the totals of the groups."""
    booked = [group.total - group.estimated for group in groups]
    scale = _Scale([*(group.total for group in groups), *booked, *([limit.amount] if limit else [])])
    place = Decimal(100) / max(len(groups), 1)
    points = tuple(
        Point(
            label=group.label,
            title=group.title,
            address=group.address,
            x=_percent(place * number + place / 2),
            y=_text(scale.y(group.total)),
            booked_y=_text(scale.y(booked[number])),
            place_x=_percent(place * number),
            amount=Money(group.total, currency),
            estimated=Money(group.estimated, currency),
            mark=group.mark,
        )
        for number, group in enumerate(groups)
    )
    return Line(
        name=name,
        points=points,
        segments=tuple(Segment(a.x, a.y, b.x, b.y, bool(a.estimated or b.estimated)) for a, b in pairwise(points)),
        ticks=scale.ticks(),
        zero=_text(scale.y(_ZERO)),
        place=_percent(place),
        limit=limit,
        limit_y=_text(scale.y(limit.amount)) if limit else "",
    )


def short(amount: Decimal) -> str:
    """Write the number of an axis: "0.05", "250", "1.5k", "-2M"."""
    for size, letter in ((Decimal(1_000_000), "M"), (Decimal(1000), "k")):
        if abs(amount) >= size:
            return f"{(amount / size).normalize():f}{letter}"
    return f"{amount.normalize():f}" if amount else "0"


def _edges(group: Group) -> tuple[Decimal, Decimal]:
    """Return how far up and how far down a group reaches."""
    parts = [*group.amounts, group.estimated]
    return sum((part for part in parts if part > 0), _ZERO), sum((part for part in parts if part < 0), _ZERO)


def _column(group: Group, labels: Sequence[str], scale: _Scale, start: Decimal, place: Decimal, currency: str) -> Column:
    found = zip(labels, group.amounts, strict=True)
    return Column(
        label=group.label,
        title=group.title,
        address=group.address,
        x=_percent(start + place * _GAP),
        width=_percent(place * (1 - 2 * _GAP)),
        middle=_percent(start + place / 2),
        place_x=_percent(start),
        slices=tuple(_slices(group, scale)),
        total=Money(group.total, currency),
        estimated=Money(group.estimated, currency),
        amounts=tuple((label, Money(amount, currency)) for label, amount in found if amount),
        cells=tuple(Money(amount, currency) for amount in group.amounts),
    )


def _slices(group: Group, scale: _Scale) -> Iterable[Slice]:
    up = down = _ZERO
    for number, amount in [*enumerate(group.amounts, 1), (0, group.estimated)]:
        if amount > 0:
            yield Slice(number, _text(scale.y(up + amount)), _text(scale.y(up) - scale.y(up + amount)))
            up += amount
        elif amount < 0:
            yield Slice(number, _text(scale.y(down)), _text(scale.y(down + amount) - scale.y(down)))
            down += amount


def _round_step(rough: Decimal) -> Decimal:
    """Return the smallest of 1, 2, 5, 10, 20, … that is not below."""
    size = Decimal(1).scaleb(rough.adjusted())
    return next(size * step for step in _STEPS if size * step >= rough)


def _floor(amount: Decimal, step: Decimal) -> Decimal:
    whole = amount // step
    return step * (whole - (whole * step > amount))


def _text(pixels: Decimal) -> str:
    return f"{pixels:.2f}"


def _percent(share: Decimal) -> str:
    return f"{share:.3f}%"
