"""YAML with line numbers, and without what makes it dangerous or ambiguous: aliases, tags, keys that are written twice. Pure."""

from collections.abc import Iterator

import yaml

Location = tuple[str | int, ...]


def refused_features(text: str) -> Iterator[tuple[int, str]]:
    """Find aliases, which may explode or loop, and tags, with which PyYAML fails in ways of its own."""
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        if isinstance(token, yaml.AliasToken):
            yield token.start_mark.line + 1, f"repeats an earlier value by the alias *{token.value}; write the value out"
        elif isinstance(token, yaml.TagToken):
            yield token.start_mark.line + 1, "has a tag (!name), which is not needed here; take it out"


def note_lines(node: yaml.Node, location: Location, lines: dict[Location, int]) -> Iterator[tuple[Location, str]]:
    """Record the line of every value; report repeated keys, of which YAML would silently keep the last."""
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            lines[*location, index] = item.start_mark.line + 1
            yield from note_lines(item, (*location, index), lines)
    elif isinstance(node, yaml.MappingNode):
        for key, item in node.value:
            below = (*location, str(key.value))
            if below in lines:
                yield below, f"is written twice; once more on line {key.start_mark.line + 1}"
                continue
            lines[below] = key.start_mark.line + 1
            yield from note_lines(item, below, lines)


UNREADABLE = (OSError, yaml.YAMLError, RecursionError, ValueError, OverflowError)
"""What reading and parsing a file raises when it is no YAML."""


def unreadable(error: Exception) -> tuple[int, str]:
    """Say on which line and why a file is no YAML."""
    match error:
        case OSError():
            return 1, f"cannot be read: {error.strerror}"
        case UnicodeDecodeError():
            return 1, f"is not UTF-8 text: byte {error.start} is wrong"
        case yaml.MarkedYAMLError():
            mark = error.problem_mark or error.context_mark
            return (mark.line + 1 if mark else 1), f"is not YAML: {error.problem}"
        case yaml.YAMLError():
            return 1, f"is not YAML: {str(error).splitlines()[0]}"
        case RecursionError():
            return 1, "is nested too deeply"
        case _:
            return 1, f"holds an impossible number or date: {error}"


def in_words(location: Location) -> str:
    """A location as people write it, such as `spec.containers[0].image`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
