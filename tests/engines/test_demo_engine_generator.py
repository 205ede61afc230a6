"""What the generator promises about its pictures."""

import hashlib
import io
import json

import numpy as np
import pytest
from PIL import Image

from engines.demo_engine import palette, png
from engines.demo_engine.generator import draw_picture
from engines.demo_engine.network import choose_model, rng_for
from engines.demo_engine.parameters import MODELS, SAMPLERS, InvalidRequest, Parameters, UnknownSampler, read_parameters


def last(parameters, seed=7):
    return list(draw_picture(parameters, seed))[-1].pixels


def digest(parameters, seed=7):
    return hashlib.sha256(last(parameters, seed).tobytes()).hexdigest()


SMALL = {"width": 96, "height": 64, "steps": 5, "prompt": "blue silk"}


def test_same_parameters_make_the_same_pixels():
    assert digest(Parameters(**SMALL)) == digest(Parameters(**SMALL))


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "red silk"},
        {"negative_prompt": "storm"},
        {"steps": 9},
        {"cfg_scale": 11.0},
        {"sampler_name": "Euler"},
        {"model": "loom-mandala"},
        {"width": 64},
    ],
)
def test_every_parameter_shapes_the_picture(change):
    assert digest(Parameters(**SMALL)) != digest(Parameters(**SMALL | change))


def test_another_seed_is_another_picture():
    assert digest(Parameters(**SMALL), 7) != digest(Parameters(**SMALL), 8)


@pytest.mark.parametrize("steps", [1, 2, 3, 20, 60])
def test_takes_exactly_the_asked_steps_and_ends_at_full_size(steps):
    drawn = list(draw_picture(Parameters(width=64, height=72, steps=steps), 1))
    assert [(step.number, step.of) for step in drawn] == [(number, steps) for number in range(1, steps + 1)]
    assert drawn[-1].pixels.shape == (72, 64, 3)
    assert drawn[-1].pixels.dtype == np.uint8


@pytest.mark.parametrize("model", MODELS[1:])
def test_every_motif_fills_the_picture_with_more_than_one_tone(model):
    pixels = last(Parameters(width=64, height=64, steps=2, model=model))
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 500


@pytest.mark.parametrize("prompt", ["", "花と海", "a " * 1900, "<script>", "\x00"])
def test_any_prompt_makes_a_picture(prompt):
    assert last(Parameters(prompt=prompt, width=64, height=64, steps=1)).shape == (64, 64, 3)


@pytest.mark.parametrize(("word", "strongest"), [("blue", 2), ("green", 1), ("red", 0)])
def test_a_colour_word_decides_the_palette(word, strongest):
    ramp = palette.choose_ramp(f"{word} silk", "", rng_for(1))
    assert ramp.shape == (palette.RAMP_SIZE, 3)
    assert int(ramp.mean(axis=0).argmax()) == strongest


def test_the_palette_runs_from_dark_to_light():
    for prompt in ("", "gold", "forest", "white", "black", "fire and ice"):
        ramp = palette.choose_ramp(prompt, "", rng_for(prompt))
        assert ramp[0].mean() < 0.1
        assert ramp[-1].mean() > 0.6


def test_a_negative_colour_word_takes_that_colour_out():
    both = palette.choose_ramp("blue and red", "", rng_for(1))
    without = palette.choose_ramp("blue and red", "red", rng_for(1))
    np.testing.assert_array_equal(without, palette.choose_ramp("blue", "red", rng_for(1)))
    assert not np.array_equal(both, without)


def test_the_first_word_that_names_a_motif_chooses_it():
    assert choose_model("loom-auto", "a lotus on the sea", rng_for(1)) == "loom-bloom"
    assert choose_model("loom-auto", "the sea, a lotus", rng_for(1)) == "loom-tide"
    assert choose_model("loom-silk", "lotus", rng_for(1)) == "loom-silk"


def test_the_png_carries_its_parameters_in_both_forms(tmp_path):
    parameters = Parameters(prompt='花, "sea"\nline two', negative_prompt="green", seed=41, width=64, height=72, steps=3)
    facts = {"created_at": "2026-11-22T10:00:00+00:00", "parameters": parameters.of_picture(1)}
    content = png.encode_png(last(parameters, 42), parameters.infotext(1), facts)
    infotext = (
        '花, "sea"\nline two\nNegative prompt: green\n'
        "Steps: 3, Sampler: Euler a, CFG scale: 7, Seed: 42, Size: 64x72, Model: loom-auto, Version: Loom"
    )
    with Image.open(io.BytesIO(content)) as image:
        assert image.size == (64, 72)
        assert image.text["parameters"] == infotext
        assert json.loads(image.text["loom"]) == facts
    path = tmp_path / "picture.png"
    path.write_bytes(content)
    assert png.read_texts(path)["parameters"] == infotext
    assert png.read_facts(path) == facts


def test_the_parameters_of_one_picture_make_it_again():
    parameters = Parameters(**SMALL, seed=5, batch_size=3)
    again = read_parameters(parameters.of_picture(2))
    assert (again.seed, again.batch_size) == (7, 1)
    assert digest(parameters, 5 + 2) == digest(again, again.seed)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\n\xff\xff\xff\xfftEXt", b"GIF89a"])
def test_a_foreign_or_cut_file_has_no_facts(tmp_path, content):
    path = tmp_path / "x.png"
    path.write_bytes(content)
    assert png.read_facts(path) == {}


def test_defaults_are_those_of_sd_webui_and_a_seed_of_minus_one_is_resolved():
    parameters = read_parameters({"seed": -1})
    assert (parameters.width, parameters.height, parameters.steps) == (512, 512, 20)
    assert (parameters.cfg_scale, parameters.sampler_name) == (7.0, "Euler a")
    assert 0 <= parameters.seed < 2**32
    assert read_parameters({}).seed != read_parameters({}).seed


@pytest.mark.parametrize(
    ("body", "location", "kind"),
    [
        ({"steps": 0}, "steps", "greater_than_equal"),
        ({"steps": 61}, "steps", "less_than_equal"),
        ({"steps": "20"}, "steps", "int_type"),
        ({"steps": True}, "steps", "int_type"),
        ({"steps": 2.5}, "steps", "int_type"),
        ({"width": float("nan")}, "width", "int_type"),
        ({"width": float("inf")}, "width", "int_type"),
        ({"width": 56}, "width", "greater_than_equal"),
        ({"height": 1032}, "height", "less_than_equal"),
        ({"height": 100}, "height", "multiple_of"),
        ({"cfg_scale": float("nan")}, "cfg_scale", "float_type"),
        ({"cfg_scale": 31}, "cfg_scale", "value_error"),
        ({"prompt": 5}, "prompt", "string_type"),
        ({"prompt": "x" * 4001}, "prompt", "string_too_long"),
        ({"seed": -2}, "seed", "greater_than_equal"),
        ({"seed": 2**32}, "seed", "less_than_equal"),
        ({"batch_size": 9}, "batch_size", "less_than_equal"),
        ({"save_images": "yes"}, "save_images", "bool_type"),
        ({"model": "sd15"}, "model", "enum"),
        ({"model": []}, "model", "enum"),
        ({"override_settings": {"sd_model_checkpoint": "sd15"}}, "model", "enum"),
    ],
)
def test_a_bad_field_is_refused_with_its_place(body, location, kind):
    with pytest.raises(InvalidRequest) as refusal:
        read_parameters(body)
    assert [(problem["loc"], problem["type"]) for problem in refusal.value.problems] == [(["body", location], kind)]


def test_all_bad_fields_are_named_at_once():
    with pytest.raises(InvalidRequest) as refusal:
        read_parameters({"steps": 0, "width": 1})
    assert {problem["loc"][1] for problem in refusal.value.problems} == {"steps", "width"}


def test_fields_without_a_meaning_here_are_passed_over():
    assert read_parameters({"enable_hr": True, "styles": [], "steps": None, "sampler_index": "Euler"}).sampler_name == "Euler"


def test_an_unknown_sampler_is_refused():
    with pytest.raises(UnknownSampler):
        read_parameters({"sampler_name": "DPM++ 2M"})
    assert {read_parameters({"sampler_name": name}).sampler_name for name in SAMPLERS} == set(SAMPLERS)
