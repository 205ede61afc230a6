"""The engine's HTTP and WebSocket answers, asked of a real process."""

import base64
import io
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image
from websockets.sync.client import connect

from tests.engines.loom_process import DEADLINE_SECONDS, loom, wait_until

SLOW = {"prompt": "slow", "seed": 1, "steps": 60, "width": 1024, "height": 1024}
SMALL = {"prompt": "blue silk", "seed": 7, "steps": 2, "width": 64, "height": 64}


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with loom(2, tmp_path_factory.mktemp("loom")) as running:
        yield running


@pytest.fixture(autouse=True)
def idle(request):
    """Each test begins and leaves the shared engine with nothing to do."""
    yield
    if "engine" not in request.fixturenames:
        return
    client = request.getfixturevalue("engine").client
    for job in client.get("/api/jobs").json()["jobs"][::-1]:
        if job["state"] in ("queued", "running"):
            client.delete(f"/api/jobs/{job['id']}")
    wait_until(lambda: client.get("/sdapi/v1/progress").json()["state"]["job_count"] == 0, "an idle engine")


def live(engine):
    return connect(engine.url.replace("http", "ws") + "/ws", open_timeout=DEADLINE_SECONDS)


def receive(socket):
    return json.loads(socket.recv(timeout=DEADLINE_SECONDS))


def job_state(engine, job):
    return engine.client.get(f"/api/jobs/{job['id']}").json()["state"]


def enqueue(engine, **parameters):
    answer = engine.client.post("/api/jobs", json=SMALL | parameters)
    assert answer.status_code == 202
    return answer.json()


def test_txt2img_answers_in_the_shape_of_sd_webui(engine):
    answer = engine.picture(prompt="gold mandala", negative_prompt="red", batch_size=2, seed=5)
    assert set(answer) == {"images", "parameters", "info"}
    info = json.loads(answer["info"])
    assert (info["seed"], info["all_seeds"], info["index_of_first_image"]) == (5, [5, 6], 0)
    assert answer["parameters"]["prompt"] == "gold mandala"
    for number, encoded in enumerate(answer["images"]):
        with Image.open(io.BytesIO(base64.b64decode(encoded))) as image:
            assert (image.format, image.size) == ("PNG", (64, 64))
            assert image.text["parameters"] == info["infotexts"][number]
    assert len(answer["images"]) == 2


def test_the_same_request_makes_the_same_pixels_again(engine):
    pixels = []
    for _ in range(2):
        with Image.open(io.BytesIO(base64.b64decode(engine.picture(seed=99)["images"][0]))) as image:
            pixels.append(image.tobytes())
    assert pixels[0] == pixels[1]


def test_a_random_seed_is_reported(engine):
    info = json.loads(engine.picture(seed=-1)["info"])
    assert info["seed"] >= 0
    assert f"Seed: {info['seed']}," in info["infotexts"][0]


def test_save_images_false_leaves_the_gallery_as_it_was(engine):
    before = engine.client.get("/api/images").json()["total"]
    assert len(engine.picture(save_images=False)["images"]) == 1
    assert engine.client.get("/api/images").json()["total"] == before


def test_progress_of_an_idle_engine(engine):
    idle = {"skipped": False, "interrupted": False, "job": "", "job_count": 0, "job_timestamp": "0", "job_no": 0}
    state = idle | {"sampling_step": 0, "sampling_steps": 0}
    expected = {"progress": 0.0, "eta_relative": 0.0, "state": state, "current_image": None, "textinfo": None}
    assert engine.client.get("/sdapi/v1/progress").json() == expected


def test_progress_while_busy_counts_steps_and_shows_a_preview(engine):
    enqueue(engine, **SLOW)

    def progress(skip="false"):
        return engine.client.get(f"/sdapi/v1/progress?skip_current_image={skip}").json()

    wait_until(lambda: progress()["current_image"], "a preview")
    busy = progress(skip="true")
    assert busy["current_image"] is None
    assert 0 < busy["progress"] < 1
    assert busy["state"]["job_count"] == 1
    assert busy["state"]["sampling_steps"] == 60
    with Image.open(io.BytesIO(base64.b64decode(progress()["current_image"]))) as preview:
        assert max(preview.size) <= 320


def test_pending_tasks_counts_waiting_jobs_only(engine):
    running = enqueue(engine, **SLOW)
    wait_until(lambda: job_state(engine, running) == "running", "the first job")
    waiting = [enqueue(engine)["id"], enqueue(engine)["id"]]
    assert engine.client.get("/internal/pending-tasks").json() == {"size": 2, "tasks": waiting}


def test_interrupt_ends_the_running_job_and_the_next_one_follows(engine):
    with ThreadPoolExecutor(1) as pool:
        blocked = pool.submit(engine.client.post, "/sdapi/v1/txt2img", json=SLOW)
        wait_until(lambda: engine.client.get("/sdapi/v1/progress").json()["state"]["sampling_step"] > 0, "a step")
        following = enqueue(engine)
        answer = engine.client.post("/sdapi/v1/interrupt")
        assert (answer.status_code, answer.json()) == (200, {})
        assert blocked.result().json()["images"] == []
    wait_until(lambda: job_state(engine, following) == "finished", "the following job")


def test_jobs_run_first_in_first_out(engine):
    jobs = [enqueue(engine, seed=1000 + number) for number in range(4)]
    wait_until(lambda: job_state(engine, jobs[-1]) == "finished", "the last job")
    assert [image["parameters"]["seed"] for image in engine.gallery(limit=4)] == [1003, 1002, 1001, 1000]


def test_a_cancelled_waiting_job_never_runs(engine):
    running, waiting = enqueue(engine, **SLOW), enqueue(engine, seed=4242)
    assert engine.client.delete(f"/api/jobs/{waiting['id']}").json()["state"] == "cancelled"
    engine.client.delete(f"/api/jobs/{running['id']}")
    wait_until(lambda: job_state(engine, running) == "interrupted", "the interrupted job")
    assert all(image["parameters"]["seed"] != 4242 for image in engine.gallery())
    assert engine.client.delete("/api/jobs/none").status_code == 404


def test_the_queue_has_an_end(engine):
    enqueue(engine, **SLOW)
    codes = [engine.client.post("/api/jobs", json=SMALL).status_code for _ in range(102)]
    assert codes.count(202) in (100, 101)
    assert codes[-1] == 503


def test_the_event_loop_answers_while_a_picture_is_made(engine):
    running = enqueue(engine, **SLOW)
    wait_until(lambda: job_state(engine, running) == "running", "the job")
    for _ in range(20):
        assert engine.client.get("/healthz").json() == {"status": "ok"}
    assert job_state(engine, running) == "running"


def test_options_are_kept_and_choose_the_model(tmp_path):
    with loom(1, tmp_path) as engine:
        assert engine.client.post("/sdapi/v1/options", json={"sd_model_checkpoint": "loom-tide", "eta": 1}).json() is None
        refusal = engine.client.post("/sdapi/v1/options", json={"sd_model_checkpoint": "sd15"})
        assert (refusal.status_code, refusal.json()["detail"][0]["loc"]) == (422, ["body", "sd_model_checkpoint"])
    with loom(1, tmp_path) as engine:
        assert engine.client.get("/sdapi/v1/options").json()["sd_model_checkpoint"] == "loom-tide"
        assert json.loads(engine.picture()["info"])["sd_model_name"] == "loom-tide"


def test_models_and_samplers(engine):
    models = engine.client.get("/sdapi/v1/sd-models").json()
    assert [model["title"] for model in models][:2] == ["loom-auto", "loom-silk"]
    assert set(models[0]) == {"title", "model_name", "hash", "sha256", "filename", "config"}
    samplers = engine.client.get("/sdapi/v1/samplers").json()
    assert [(sampler["name"], sampler["aliases"][0]) for sampler in samplers] == [("Euler a", "k_euler_a"), ("Euler", "k_euler")]
    assert engine.client.get("/internal/ping").json() == {}


@pytest.mark.parametrize("path", ["/sdapi/v1/txt2img", "/api/jobs"])
def test_bad_requests_are_refused_like_fastapi_and_nothing_is_queued(engine, path):
    answer = engine.client.post(path, json={"steps": 61})
    problem = {"type": "less_than_equal", "loc": ["body", "steps"], "msg": "Input should be less than or equal to 60"}
    assert (answer.status_code, answer.json()) == (422, {"detail": [problem | {"input": 61, "ctx": {"le": 60}}]})
    for body in (b"", b"{", b"[]", b'"x"', b'{"cfg_scale": NaN}', b"\xff\xfe"):
        assert engine.client.post(path, content=body).status_code == 422
    assert engine.client.post(path, json={"sampler_name": "none"}).status_code == 404
    assert engine.client.get("/internal/pending-tasks").json()["size"] == 0


def test_a_page_sees_a_job_from_queue_to_picture(engine):
    with live(engine) as socket:
        assert receive(socket) == {"type": "state", "version": 2, "jobs": [], "preview": None}
        job = enqueue(engine, steps=3)
        seen = [receive(socket)]
        while not (seen[-1]["type"] == "queue" and seen[-1]["jobs"] == []):
            seen.append(receive(socket))
    steps = [(message["job"]["step"], message["job"]["progress"]) for message in seen if message["type"] == "progress"]
    assert steps == [(1, 0.3333), (2, 0.6667), (3, 1.0)]
    pictures = [message for message in seen if message["type"] == "picture"]
    assert [(message["job_id"], message["picture"]) for message in pictures] == [(job["id"], engine.gallery(limit=1)[0])]


def test_a_reconnecting_page_gets_the_present_state_at_once(engine):
    job = enqueue(engine, **SLOW)
    wait_until(lambda: engine.client.get("/sdapi/v1/progress").json()["current_image"], "a preview")
    for _ in range(2):
        with live(engine) as socket:
            state = receive(socket)
            assert state["type"] == "state"
            assert [(running["id"], running["state"]) for running in state["jobs"]] == [(job["id"], "running")]
            assert base64.b64decode(state["preview"]).startswith(b"\xff\xd8")


def test_gallery_pages_newest_first_without_gap_or_repeat(engine):
    for seed in range(500, 505):
        engine.picture(seed=seed)
    pages = [engine.gallery(offset=offset, limit=2) for offset in (0, 2)]
    assert [image["parameters"]["seed"] for page in pages for image in page] == [504, 503, 502, 501]


def test_a_picture_can_be_fetched_small_and_deleted(engine):
    engine.picture()
    image = engine.gallery(limit=1)[0]
    whole = engine.client.get(image["url"])
    assert (whole.headers["content-type"], len(whole.content)) == ("image/png", image["size_bytes"])
    small = engine.client.get(image["thumbnail_url"])
    assert (small.headers["content-type"], small.content[:2]) == ("image/jpeg", b"\xff\xd8")
    assert engine.client.delete(f"/api/images/{image['id']}").status_code == 204
    assert engine.client.get(image["url"]).status_code == 404
    assert engine.client.delete(f"/api/images/{image['id']}").status_code == 404
    assert image["id"] not in [left["id"] for left in engine.gallery()]


@pytest.mark.parametrize("image_id", ["..%2f..%2f.loom-version", "%2e%2e/%2e%2e/.loom-version", "..%5c", "%00", "x" * 64])
def test_no_image_address_leads_out_of_the_library(engine, image_id):
    assert engine.client.get(f"/api/images/{image_id}").status_code == 404


def test_search_favourites_and_tags(engine):
    engine.picture(prompt="Quokka under 100% moonlight")
    image = engine.gallery(limit=1)[0]
    address = f"/api/images/{image['id']}"
    assert [found["id"] for found in engine.gallery(search="moonlight quokka")] == [image["id"]]
    assert [found["id"] for found in engine.gallery(search="100%")] == [image["id"]]
    assert engine.gallery(search="quokka desert") == []
    assert engine.gallery(search="m_onlight") == []
    changed = engine.client.patch(address, json={"favourite": True, "tags": ["night", "animal", "night"]}).json()
    assert (changed["favourite"], changed["tags"]) == (True, ["animal", "night"])
    assert [found["id"] for found in engine.gallery(favourites="1")] == [image["id"]]
    assert [found["id"] for found in engine.gallery(search="animal moonlight")] == [image["id"]]
    assert engine.client.patch(address, json={"tags": []}).json()["favourite"] is True
    assert engine.client.patch(address, json={"favourite": "yes", "tags": [5]}).status_code == 422
    assert engine.client.patch("/api/images/none", json={"favourite": True}).status_code == 404


def test_version_1_has_neither_search_nor_favourites(tmp_path):
    with loom(1, tmp_path) as engine:
        engine.picture()
        image = engine.gallery()[0]
        assert engine.client.get("/api/images?search=blue").status_code == 404
        assert engine.client.patch(f"/api/images/{image['id']}", json={"favourite": True}).status_code == 404
        about = engine.client.get("/api/about").json()
        assert (about["version"], about["features"]) == (1, {"search": False, "favourites": False, "tags": False})


def test_echo_tells_exactly_what_arrived(engine):
    headers = [("x-twice", "a"), ("x-twice", "b"), ("cookie", "k=v")]
    answer = engine.client.put("/api/echo/a%2Fb/../c?x=1&x=%20", headers=headers).json()
    assert (answer["method"], answer["query"]) == ("PUT", "x=1&x=%20")
    assert answer["raw_path"].startswith("/api/echo/")
    assert [pair for pair in answer["headers"] if pair[0] in ("x-twice", "cookie")] == [list(pair) for pair in headers]


def test_events_stream_one_by_one(engine):
    with engine.client.stream("GET", "/api/events?n=3&interval=1") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        data = [json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: ")]
    assert data == [{"number": number, "of": 3} for number in (1, 2, 3)]
    assert engine.client.get("/api/events?n=x").status_code == 422


def test_the_page_and_all_it_loads_come_from_the_engine_by_relative_addresses(engine):
    page = engine.client.get("/")
    assert page.headers["content-security-policy"].startswith("default-src 'self'")
    assert "http://" not in page.text
    assert "https://" not in page.text
    for name in ("mark.svg", "loom.css", "loom.js", "api.js", "gallery.js", "viewer.js"):
        assert engine.client.get(f"/static/{name}").status_code == 200
    for address in ("src", "href"):
        assert f'{address}="/' not in page.text
