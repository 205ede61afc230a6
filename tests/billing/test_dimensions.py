"""How filters and dimensions are written, and what is refused."""

import pytest

from billing.dimensions import LIMIT, Condition, NotAFilter, UnknownDimension, read_dimensions, read_filter, write_filter


@pytest.mark.parametrize(
    ("text", "conditions"),
    [
        ("", ()),
        ('user:"alice"', (Condition("user", ":", ("alice",)),)),
        ('user:"alice","anna"', (Condition("user", ":", ("alice", "anna")),)),
        ('tag!:""+gpu_class~:"h1"', (Condition("tag", "!:", ("",)), Condition("gpu_class", "~:", ("h1",)))),
        ('tag:"a+b,c:d"', (Condition("tag", ":", ("a+b,c:d",)),)),
    ],
)
def test_filters(text: str, conditions: tuple[Condition, ...]) -> None:
    assert read_filter(text) == conditions


@pytest.mark.parametrize(
    "text",
    [
        *(
            "user",
            "user:",
            "user:alice",
            'user:"alice',
            'user="alice"',
            'user:"a",',
            'user:"a"+',
            '+user:"a"',
            'user:"a" +tag:"b"',
        ),
        *(
            'user:"a"user:"b"',
            'user~:""',
            'USER:"a"',
            "+".join(['tag:"x"'] * (LIMIT + 1)),
            "tag:" + ",".join(['"x"'] * (LIMIT + 1)),
        ),
    ],
)
def test_what_is_no_filter(text: str) -> None:
    with pytest.raises(NotAFilter):
        read_filter(text)


@pytest.mark.parametrize(
    ("text", "names"), [("", ()), ("all", ()), ("user", ("user",)), ("tag,user,tag", ("tag", "user")), ("tenant", ("tenant",))]
)
def test_dimensions(text: str, names: tuple[str, ...]) -> None:
    assert read_dimensions(text) == names


@pytest.mark.parametrize(
    ("text", "name"), [("colour", "colour"), ("user,", ""), ("user,all", "all"), ("label:team", "label:team")]
)
def test_unknown_dimensions(text: str, name: str) -> None:
    with pytest.raises(UnknownDimension) as refused:
        read_dimensions(text)
    assert refused.value.name == name


def test_filter_by_an_unknown_dimension() -> None:
    with pytest.raises(UnknownDimension) as refused:
        read_filter('user:"alice"+pod:"x"')
    assert refused.value.name == "pod"


@pytest.mark.parametrize("text", ["", 'user:"ann"', 'gpu_class:"h100","l4"+project!:""+user~:"a n"'])
def test_filter_is_written_as_it_is_read(text: str) -> None:
    assert write_filter(read_filter(text)) == text
