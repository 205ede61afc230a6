"""Tables of what quantities, ports, names and families become."""

import pytest

from engines.adoption.families import recognise
from engines.adoption.naming import mark, slug, version_name
from engines.adoption.quantities import mib, millis, port, whole


@pytest.mark.parametrize(
    ("quantity", "cpu", "memory", "count"),
    [
        ("4", 4000, 1, 4),
        (4, 4000, 1, 4),
        ("500m", 500, 1, None),
        (0.5, 500, 1, None),
        ("16Gi", 16 * 1024**3 * 1000, 16384, 16 * 1024**3),
        ("4G", 4 * 10**12, 3815, 4 * 10**9),
        ("2e3", 2_000_000, 1, 2000),
        ("0", None, None, None),
        ("-1", None, None, None),
        ("1.2.3", None, None, None),
        ("many", None, None, None),
        ("1Zi", None, None, None),
        (True, None, None, None),
        (None, None, None, None),
        ([], None, None, None),
    ],
)
def test_quantities(quantity, cpu, memory, count):
    assert (millis(quantity), mib(quantity), whole(quantity)) == (cpu, memory, count)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (7860, 7860),
        ("7860", 7860),
        (0, 0),
        (65536, 0),
        ("http", 0),
        (True, 0),
        ("٣", 0),
        (-1, 0),
        (None, 0),
        (1.5, 0),
        ("9" * 5000, 0),
    ],
)
def test_ports(value, number):
    assert port(value) == number


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("stable-diffusion-cpu", "stable-diffusion-cpu"),
        ("sd.v1_5", "sd-v1-5"),
        ("a" * 40, "a" * 40),
        ("a" * 41, f"{'a' * 33}-c0f8bd"),
        ("---", ""),
    ],
)
def test_slugs(name, expected):
    assert slug(name) == expected


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("registry.example.com:5000/team/sd:v1.0", "v1.0"),
        ("registry.example.com:5000/team/sd", "latest"),
        (f"sd@sha256:{'ab' * 32}", "sha256-abababababab"),
        (f"sd:2@sha256:{'ab' * 32}", "2"),
        ("sd:_x", "x"),
        (f"sd:{'a' * 41}", f"{'a' * 33}-c0f8bd"),
    ],
)
def test_versions_are_named_by_their_image(image, expected):
    assert version_name(image) == expected


@pytest.mark.parametrize(("name", "expected"), [("sd", "Sd"), ("x", "X"), ("4090-sd", "40"), ("…", "E")])
def test_marks(name, expected):
    assert mark(name) == expected


@pytest.mark.parametrize(
    ("names", "family", "port"),
    [
        (["sd-gpu", "registry.example.com/stable-diffusion:1"], "sd-webui", 7860),
        (["Stable-Diffusion-ComfyUI"], "comfyui", 8188),
        (["art", "fooocus:2"], "gradio", 7860),
        (["art", "registry.example.com/art:1"], "http", 0),
    ],
)
def test_families_are_recognised_by_names(names, family, port):
    assert (recognise(names).name, recognise(names).port) == (family, port)
