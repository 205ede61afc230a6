"""Ports, disks, GPUs and volumes of the local cluster."""

import contextlib
import http.server
import os
import socket
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from engines.clusters.base import ClassCapacity, ClusterError, GpuSpec, Phase, VolumeRef, WorkloadRef
from engines.clusters.local.adapter import LocalCluster
from engines.clusters.local.devices import Device, by_class
from engines.clusters.local.leases import Claim
from engines.reasons import Reason
from tests.contract.workloads import living, make_spec, own_name, start, stop, wait_for, wait_phase
from tests.engines.local_cluster import ONE, leases, sleeper


def port_of(observed):
    return int(observed.upstream.rpartition(":")[2])


@pytest.fixture
def narrow(local_config):
    """Make a cluster with so many ports."""
    made = []

    def make(count, **config):
        first = local_config["ports"][0]
        made.append(LocalCluster.from_config("narrow", local_config | {"ports": [first, first + count - 1]} | config))
        for number in range(4):
            made[-1].ensure_volume(VolumeRef(f"v-{number}"), tenant="acme", size_gib=1)
        return made[-1]

    yield make
    for cluster in made:
        cluster.shutdown(grace_seconds=0)


def specs():
    return [sleeper(own_name(f"narrow-{number}"), volume=f"v-{number}") for number in range(4)]


# --- ports ---


def test_a_port_taken_by_somebody_else_is_passed_over(narrow):
    cluster = narrow(2)
    first, second, third, _ = specs()
    with socket.create_server(("127.0.0.1", cluster._config.ports[0])):
        cluster.apply(first)
        assert port_of(cluster.observe(first.ref)) == cluster._config.ports[1]
        with pytest.raises(ClusterError) as refusal:
            cluster.apply(second)
    assert refusal.value.reason == Reason.NO_PORT
    assert list(leases(cluster.store.layout.root)) == [first.name]
    assert (living(second.name), cluster.observe(second.ref).phase) == ([], Phase.GONE)
    cluster.apply(third)
    assert port_of(cluster.observe(third.ref)) == cluster._config.ports[0]


def test_a_released_port_rests(narrow):
    cluster = narrow(2, port_quarantine_seconds=600)
    first, second, third, _ = specs()
    cluster.apply(first)
    used = port_of(cluster.observe(first.ref))
    stop(cluster, first.ref)
    cluster.apply(second)
    assert port_of(cluster.observe(second.ref)) != used
    with pytest.raises(ClusterError) as refusal:
        cluster.apply(third)
    assert refusal.value.reason == Reason.NO_PORT
    narrow(2, port_quarantine_seconds=0).apply(third)
    assert port_of(cluster.observe(third.ref)) == used


def test_the_port_longest_out_of_use_comes_first(narrow):
    cluster = narrow(2)
    ports = []
    for epoch in range(1, 6):
        cluster.apply(sleeper(volume="v-0", epoch=epoch))
        ports.append(port_of(cluster.observe(WorkloadRef(ONE))))
        stop(cluster, WorkloadRef(ONE), epoch=epoch)
    assert ports == [ports[0], ports[1], ports[0], ports[1], ports[0]]
    assert ports[0] != ports[1]


def test_an_engine_with_a_port_of_its_own_gets_it_or_is_refused(local_cluster):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ClusterError) as refusal:
            local_cluster.apply(sleeper(port=port))
        assert refusal.value.reason == Reason.NO_PORT
    local_cluster.apply(sleeper(port=port))
    assert local_cluster.observe(WorkloadRef(ONE)).upstream == f"127.0.0.1:{port}"


def test_another_program_on_the_engines_port_is_not_taken_for_the_engine(local_cluster):
    spec = make_spec(local_cluster, "--never-listen")
    local_cluster.apply(spec)
    asked = []

    class Alien(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port_of(local_cluster.observe(spec.ref))), Alien)
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    try:
        for _ in range(5):
            assert local_cluster.observe(spec.ref).phase == Phase.STARTING
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert asked == []


# --- a full disk ---


@pytest.fixture
def small_disk(tmp_path):
    """Two MiB of their own, and a way to fill them."""
    directory = tmp_path / "small"
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(directory)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("needs the right to mount")
    yield directory
    subprocess.run(["umount", "-l", str(directory)], check=True)


def fill(directory: Path) -> Path:
    ballast = directory / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    return ballast


@pytest.fixture
def cluster_on_small_disk(small_disk, local_config):
    cluster = LocalCluster.from_config("small", local_config | {"root": str(small_disk)})
    yield cluster
    cluster.shutdown(grace_seconds=0)


def test_a_full_disk_refuses_a_start_and_holds_nothing(cluster_on_small_disk, small_disk):
    cluster = cluster_on_small_disk
    cluster.ensure_volume(VolumeRef("v-one"), tenant="acme", size_gib=1)
    ballast = fill(small_disk)
    with pytest.raises(ClusterError) as refusal:
        cluster.apply(sleeper())
    assert refusal.value.reason == Reason.DISK_FULL
    assert (living(ONE), leases(small_disk), cluster.list_workloads()) == ([], {}, [])
    ballast.unlink()
    cluster.apply(sleeper())
    assert cluster.observe(WorkloadRef(ONE)).phase == Phase.STARTING


def test_an_end_on_a_full_disk_is_known_and_written_down_later(cluster_on_small_disk, small_disk):
    cluster = cluster_on_small_disk
    spec = make_spec(cluster, "--exit-after", "1", "--exit-code", "6")
    start(cluster, spec)
    ballast = fill(small_disk)
    seen = wait_phase(cluster, spec.ref, Phase.EXITED)
    assert seen.evidence.splitlines()[0] == "exit code 6"
    assert cluster.observe(spec.ref).ended_at == seen.ended_at
    ballast.unlink()
    assert cluster.observe(spec.ref).ended_at == seen.ended_at
    assert leases(small_disk) == {}


def test_an_engine_on_a_full_disk_can_be_stopped(cluster_on_small_disk, small_disk):
    cluster = cluster_on_small_disk
    spec = make_spec(cluster)
    start(cluster, spec)
    ballast = fill(small_disk)
    with pytest.raises(ClusterError) as refusal:
        cluster.stop(spec.ref, epoch=1, grace_seconds=5)
    assert refusal.value.reason == Reason.DISK_FULL
    wait_for(lambda: living(spec.name) == [])
    ballast.unlink()
    assert stop(cluster, spec.ref).ended_at is not None


# --- GPUs ---

CARDS = [Device(0, "GPU-a", "NVIDIA GeForce RTX 4090"), Device(1, "GPU-b", "NVIDIA L4"), Device(2, "GPU-c", "NVIDIA L4")]


@pytest.mark.parametrize(
    ("wanted", "classes"),
    [
        ({}, {}),
        ({"big": [0], "small": [1, 2]}, {"big": ["GPU-a"], "small": ["GPU-b", "GPU-c"]}),
        ({"big": "rtx 4090", "small": "L4"}, {"big": ["GPU-a"], "small": ["GPU-b", "GPU-c"]}),
        ({"first": [1], "rest": "nvidia"}, {"first": ["GPU-b"], "rest": ["GPU-a", "GPU-c"]}),
        ({"none": [7]}, {"none": []}),
    ],
)
def test_devices_are_divided_among_classes(wanted, classes):
    assert by_class(CARDS, wanted) == classes


def test_no_driver_means_no_gpus_and_no_error(local_config):
    if Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has a GPU")
    cluster = LocalCluster.from_config("gpus", local_config | {"gpus": {"l4": [0]}})
    assert cluster.capacity() == [ClassCapacity("cpu", 2), ClassCapacity("l4", 0)]
    cluster.ensure_volume(VolumeRef("v-one"), tenant="acme", size_gib=1)
    with pytest.raises(ClusterError) as refusal:
        cluster.apply(sleeper(gpu=GpuSpec("l4", vendor="nvidia", count=1)))
    assert refusal.value.reason == Reason.NO_CAPACITY
    assert leases(cluster.store.layout.root) == {}


def test_each_run_has_devices_of_its_own(local_cluster):
    claim = Claim("i-a", "run-a", "v-one", devices=("GPU-a", "GPU-b"), count=1)
    book = local_cluster._leases
    assert book.take(claim).devices == ("GPU-a",)
    assert book.take(replace(claim, name="i-b", run_id="run-b")).devices == ("GPU-b",)
    with pytest.raises(ClusterError) as refusal:
        book.take(replace(claim, name="i-c", run_id="run-c"))
    assert refusal.value.reason == Reason.NO_CAPACITY
    book.release("i-a", "another run")
    assert set(book.holders()) == {"i-a", "i-b"}
    book.release("i-a", "run-a")
    assert book.take(replace(claim, name="i-c", run_id="run-c")).devices == ("GPU-a",)


# --- volumes ---


def test_usage_and_deletion_stay_on_the_volume(local_cluster, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "picture.png").write_bytes(b"x" * 100_000)
    volume = local_cluster.store.layout.volume("v-one")
    (volume / "link").symlink_to(outside)
    (volume / "gone").symlink_to("/does/not/exist")
    (volume / "own").write_bytes(b"x" * 8192)
    (volume / "again").hardlink_to(volume / "own")
    (volume / "locked").mkdir()
    (volume / "locked" / "deep").mkdir()
    (volume / "locked").chmod(0)
    own = [volume / "link", volume / "gone", volume / "own", volume / "locked", volume / "locked" / "deep"]
    assert local_cluster.volume_usage(VolumeRef("v-one")).used_bytes == sum(path.lstat().st_blocks * 512 for path in own)
    local_cluster.delete_volume(VolumeRef("v-one"))
    assert list(local_cluster.store.layout.volumes.iterdir()) == []
    assert (outside / "picture.png").stat().st_size == 100_000


def test_a_deletion_cut_off_is_finished_by_the_next(local_cluster):
    left = local_cluster.store.layout.volumes / ".trash-left"
    (left / "pictures").mkdir(parents=True)
    local_cluster.delete_volume(VolumeRef("v-other"))
    assert not left.exists()
    assert local_cluster.volume_exists(VolumeRef("v-one"))


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "A", "-a", "a" * 64])
def test_no_name_leads_out_of_the_state_directory(local_cluster, name):
    with pytest.raises(ValueError, match="is not a DNS label"):
        local_cluster.ensure_volume(VolumeRef(name), tenant="acme", size_gib=1)
    with pytest.raises(ValueError, match="is not a DNS label"):
        local_cluster.observe(WorkloadRef(name))
