"""Uploads, and what happens when the disk has no room left."""

import hashlib
import re
import resource
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.engines.loom_process import ROOT, LoomProcess, loom, wait_until

MIB = 1 << 20
LARGEST_FILE = 200_000
LARGE = {"prompt": "sea storm", "seed": 3, "steps": 2, "width": 1024, "height": 1024}


def small_files_only():
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))


def leftovers(data_dir):
    return list((data_dir / ".tmp").iterdir())


def peak_memory_kib(engine):
    status = Path(f"/proc/{engine.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+)", status)[1])


@pytest.mark.parametrize("version", [1, 2])
def test_a_picture_without_room_is_507_and_loses_no_earlier_one(tmp_path, version):
    with loom(version, tmp_path, preexec_fn=small_files_only) as engine:
        engine.picture()
        before = engine.gallery()
        answer = engine.client.post("/sdapi/v1/txt2img", json=LARGE)
        assert answer.status_code == 507
        assert answer.json()["detail"].startswith("The disk is full: nothing was saved.")
        job = engine.client.get("/api/jobs").json()["jobs"][0]
        assert (job["state"], job["error"]) == ("failed", answer.json()["detail"])
        assert engine.gallery() == before
        assert leftovers(tmp_path) == []
        engine.picture(seed=8)
        assert [image["parameters"]["seed"] for image in engine.gallery()] == [8, 7]


def test_an_upload_without_room_is_507_and_keeps_the_earlier_file(tmp_path):
    with loom(1, tmp_path, preexec_fn=small_files_only) as engine:
        assert engine.client.put("/api/uploads/model.bin", content=b"earlier").status_code == 201
        answer = engine.client.put("/api/uploads/model.bin", content=bytes(LARGEST_FILE + 1))
        assert answer.status_code == 507
        assert engine.client.get("/api/uploads/model.bin").content == b"earlier"
        assert leftovers(tmp_path) == []
        assert engine.client.post("/sdapi/v1/options", json={"sd_model_checkpoint": "loom-silk"}).status_code == 200


@pytest.mark.parametrize("version", [1, 2])
def test_a_really_full_volume(tmp_path, version):
    """A file system of 640 KiB of the engine's own, where the kernel lets an ordinary user mount one."""
    unshare = shutil.which("unshare")
    if not unshare or subprocess.run([unshare, "-rm", "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine does not allow user namespaces")
    script = f'mount -t tmpfs -o size=640k tmpfs "{tmp_path}" && exec "$@"'
    command = [unshare, "-rm", "sh", "-c", script, "sh", sys.executable, "-m", "engines.demo_engine"]
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = str(reserved.getsockname()[1])
    arguments = ["--version", str(version), "--port", port, "--data-dir", str(tmp_path)]
    process = subprocess.Popen([*command, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert "Ready on" in process.stdout.readline()
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            engine = LoomProcess(process, str(client.base_url), client)
            engine.picture()
            assert client.put("/api/uploads/fill", content=bytes(540 * 1024)).status_code == 201
            codes = [client.post("/sdapi/v1/txt2img", json=LARGE | {"width": 256, "height": 256}).status_code for _ in range(2)]
            assert codes == [507, 507]
            assert [image["parameters"]["seed"] for image in engine.gallery()] == [7]
            assert client.put("/api/uploads/more", content=bytes(200 * 1024)).status_code == 507
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_large_upload_takes_no_more_memory_than_a_small_one(tmp_path):
    chunk = bytes(range(256)) * 4096
    count = 128
    with loom(1, tmp_path) as engine:
        engine.client.put("/api/uploads/small", content=chunk * 4)
        before = peak_memory_kib(engine)
        answer = engine.client.put("/api/uploads/large.safetensors", content=(chunk for _ in range(count)))
        grown = peak_memory_kib(engine) - before
    digest = hashlib.sha256()
    for _ in range(count):
        digest.update(chunk)
    assert answer.status_code == 201
    assert answer.json() == {"name": "large.safetensors", "size": count * MIB, "sha256": digest.hexdigest()}
    assert (tmp_path / "uploads" / "large.safetensors").stat().st_size == count * MIB
    assert grown < 16 * 1024


def test_an_upload_that_breaks_off_leaves_nothing(tmp_path):
    with loom(1, tmp_path) as engine:
        engine.client.put("/api/uploads/a", content=b"earlier")
        host, port = engine.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as cut:
            cut.sendall(b"PUT /api/uploads/a HTTP/1.1\r\nhost: x\r\ncontent-length: 9000000\r\n\r\n" + bytes(3 * MIB))
            wait_until(lambda: leftovers(tmp_path), "the unfinished file")
        wait_until(lambda: not leftovers(tmp_path), "the unfinished file to go")
        assert engine.client.get("/api/uploads/a").content == b"earlier"
        assert engine.client.get("/api/uploads").json() == {"uploads": [{"name": "a", "size": 7}]}


@pytest.mark.parametrize("name", ["%2e%2e", ".hidden", "a%2Fb", "a/b", "%2e%2e%2fx", "x" * 129, "a b", "a%00", "ü", "a%0a"])
def test_unsafe_names_are_refused(refusing_engine, name):
    answer = refusing_engine.client.put(f"/api/uploads/{name}", content=b"x")
    assert answer.status_code in (405, 422)
    assert refusing_engine.client.get("/api/uploads").json() == {"uploads": []}


@pytest.fixture(scope="module")
def refusing_engine(tmp_path_factory):
    with loom(1, tmp_path_factory.mktemp("loom")) as running:
        yield running
