"""What a label may hold: legal texts stay as they are, others become legal and stay apart."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.clusters.kubernetes.manifests import label_value

LEGAL = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")


@pytest.mark.parametrize("text", ["", "acme", "a.b_c-d", "a" * 63])
def test_a_legal_text_stays(text: str) -> None:
    assert label_value(text) == text


@given(st.text())
def test_every_text_becomes_legal(text: str) -> None:
    assert LEGAL.fullmatch(label_value(text))


def test_texts_that_look_alike_stay_apart() -> None:
    assert len({label_value(text) for text in ("a b", "a/b", "a-b", "-a-b", "x" * 64, "x" * 65)}) == 6
