"""Published clients, and the samples of the guide, through the real gateway: nothing of them changes but address and token."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import webuiapi
from django.conf import settings as django_settings

from engines.models import Instance
from tests.engines.loom_process import spawn
from tests.gateway.driving import end, run_uvicorn, wait_for_port

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "engine-api.md"
CODE = re.compile(r"^```(python|bash)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECTIONS = dict(section.split("\n", 1) for section in GUIDE.read_text().split("\n## ")[1:])
SAMPLES = {title: found.groups() for title, text in SECTIONS.items() if (found := CODE.search(text))}
WORKFLOW = {"1": {"class_type": "EmptyImage", "inputs": {}}, "9": {"class_type": "SaveImage", "inputs": {"images": ["1", 0]}}}


@pytest.fixture
def start(make_instance: Callable[..., Instance], tmp_path: Path) -> Iterator[Callable[[str], Instance]]:
    """Start an engine process of a kind behind the gateway, as an instance of alice's."""
    with ExitStack() as ending:

        def begin(kind: str) -> Instance:
            port, log = engine_port(), tmp_path / "engine.log"
            if kind == "loom":
                process = spawn(1, tmp_path / "loom", port=port)
                ending.callback(process.stdout.close)
            else:
                process = run_uvicorn(f"tests.gateway.{kind}:app", port, log)
            ending.callback(end, process)
            wait_for_port(port, process, log)
            return make_instance(upstream=f"127.0.0.1:{port}")

        yield begin


def engine_port() -> int:
    """A port that the gateway may dial, below those that its other tests use."""
    return next(port for port in django_settings.LOCAL_PORTS if is_free(port))


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_webuiapi_works_unchanged(gateway, start, make_token):
    instance = start("loom")
    secret = make_token(instance, rules=["/sdapi/v1/*"]).secret
    api = webuiapi.WebUIApi(baseurl=f"http://127.0.0.1:{gateway.port}/sdapi/v1")
    with pytest.raises(RuntimeError, match="421"):  # an address is no engine's name
        api.txt2img(prompt="a paper crane")
    api.session.headers["Host"] = gateway.host(instance)
    with pytest.raises(RuntimeError, match="401"):
        api.txt2img(prompt="a paper crane")
    api.session.headers["Authorization"] = f"Bearer {secret}"
    result = api.txt2img(prompt="a paper crane", seed=7, steps=2, width=64, height=96, batch_size=2)
    assert [image.size for image in result.images] == [(64, 96)] * 2
    assert (result.info["prompt"], result.info["all_seeds"]) == ("a paper crane", [7, 8])
    assert api.get_options()["samples_format"] == "png"
    assert [model["model_name"] for model in api.get_sd_models()]
    assert api.get_progress()["state"]["job_count"] == 0
    api.session.close()


def test_the_guide_has_the_samples_that_it_promises():
    assert list(SAMPLES) == ["curl", "SD WebUI: Python alone", "SD WebUI: webuiapi", "ComfyUI", "Gradio"]


SHOWS = {
    "curl": ("loom", '"images":['),
    "SD WebUI: Python alone": ("loom", "crane.png\n"),
    "SD WebUI: webuiapi": ("loom", "crane.png (64, 64)\n"),
    "ComfyUI": ("comfyui_double", "double_9_.png\n"),
}


@pytest.mark.parametrize("title", SHOWS)
def test_a_sample_of_the_guide_runs(gateway, start, make_token, tmp_path, title):
    kind, shows = SHOWS[title]
    instance = start(kind)
    (tmp_path / "workflow.json").write_text(json.dumps(WORKFLOW))
    output = run_sample(*SAMPLES[title], gateway, instance, make_token(instance).secret, tmp_path)
    assert shows in output
    if "crane.png" in output:
        assert (tmp_path / "crane.png").read_bytes().startswith(b"\x89PNG")


def run_sample(language: str, code: str, gateway, instance: Instance, secret: str, directory: Path) -> str:
    code = code.replace("7f3k2qxbcd.engines.localhost:8000", gateway.host(instance))
    code = code.replace("127.0.0.1:8000", f"127.0.0.1:{gateway.port}")
    command = [sys.executable, "-c", code] if language == "python" else ["bash", "-c", code]
    environment = os.environ | {"AIGC_TOKEN": secret}
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
