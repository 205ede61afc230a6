"""A form is applied, or comes back with its refusal; whoever may not be here gets no form."""

import pytest
from django import forms

from tenants.applying import is_applied
from tenants.errors import NotAllowed, NotPossible, NotVisible


class NameForm(forms.Form):
    name = forms.CharField()


def refuse(error: Exception) -> None:
    raise error


def test_a_valid_form_is_applied() -> None:
    applied: list[str] = []
    assert is_applied(NameForm({"name": "Dragon"}), lambda: applied.append("once"))
    assert applied == ["once"]


def test_an_invalid_form_is_not_applied() -> None:
    form = NameForm({})
    assert not is_applied(form, lambda: refuse(AssertionError("applied")))
    assert list(form.errors) == ["name"]


def test_a_form_that_nobody_has_sent_is_not_applied() -> None:
    form = NameForm()
    assert not is_applied(form, lambda: refuse(AssertionError("applied")))
    assert not form.errors


@pytest.mark.parametrize(("field", "beside"), [(None, "__all__"), ("name", "name")])
def test_a_refusal_stands_in_the_form(field: str | None, beside: str) -> None:
    form = NameForm({"name": "Dragon"})
    assert not is_applied(form, lambda: refuse(NotPossible("Taken.")), field=field)
    assert form.errors == {beside: ["Taken."]}


@pytest.mark.parametrize("error", [NotVisible("Nothing here."), NotAllowed("Not yours.")])
def test_who_may_not_be_here_gets_no_form(error: Exception) -> None:
    with pytest.raises(type(error)):
        is_applied(NameForm({"name": "Dragon"}), lambda: refuse(error))
