"""The part of SD WebUI's API that clients of txt2img use; shapes as in AUTOMATIC1111's modules/api/models.py."""

import base64
import hashlib
import json
import os
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from engines.demo_engine.jobs import Job, JobState
from engines.demo_engine.loom import Loom
from engines.demo_engine.parameters import MODELS, read_parameters
from engines.demo_engine.requests import json_object, loom_of

_IDLE = {
    "skipped": False,
    "interrupted": False,
    "job": "",
    "job_count": 0,
    "job_timestamp": "0",
    "job_no": 0,
    "sampling_step": 0,
    "sampling_steps": 0,
}


async def txt2img(request: Request) -> Response:
    """Answers when the pictures are done; an interrupted job answers with those it finished."""
    loom, body = loom_of(request), await json_object(request)
    job = loom.queue.enqueue(read_parameters(body, loom.options.values["sd_model_checkpoint"]))
    await job.done.wait()
    if job.state is JobState.FAILED:
        return JSONResponse({"detail": job.error}, 507 if job.disk_full else 500)
    if job.state is JobState.CANCELLED or loom.stopping.is_set():
        return JSONResponse({"detail": "The job was cancelled before it ran to its end."}, 503)
    images = [base64.b64encode(png).decode() for png in job.pngs]
    job.pngs.clear()
    echo = asdict(job.parameters) | {name: value for name, value in body.items() if value is not None}
    return JSONResponse({"images": images, "parameters": echo, "info": json.dumps(_info(job, len(images)))})


async def progress(request: Request) -> Response:
    """The running job; the preview is left out with skip_current_image=true."""
    loom = loom_of(request)
    job = loom.queue.current
    if job is None:
        return JSONResponse({"progress": 0.0, "eta_relative": 0.0, "state": _IDLE, "current_image": None, "textinfo": None})
    with_image = request.query_params.get("skip_current_image", "false").lower() not in ("true", "1", "yes", "on")
    return JSONResponse(
        {
            "progress": max(job.progress, 0.01),
            "eta_relative": job.eta_seconds,
            "state": _state(job),
            "current_image": job.preview if with_image and loom.options.values["live_previews_enable"] else None,
            "textinfo": None,
        }
    )


async def interrupt(request: Request) -> Response:
    """Stop the running job between two steps."""
    loom_of(request).queue.interrupt()
    return JSONResponse({})


async def get_options(request: Request) -> Response:
    """All options, and the hash of the model in use."""
    values = loom_of(request).options.values
    return JSONResponse(values | {"sd_checkpoint_hash": _model_hash(values["sd_model_checkpoint"])})


async def set_options(request: Request) -> Response:
    """Change some options; answers null, as the real one."""
    loom_of(request).options.change(await json_object(request))
    return JSONResponse(None)


async def list_models(request: Request) -> Response:
    """The motif families stand where checkpoints do."""
    loom: Loom = loom_of(request)
    return JSONResponse([_model(name, loom) for name in MODELS])


async def list_samplers(_request: Request) -> Response:
    """They differ in where the samples of a picture fall."""
    return JSONResponse(
        [
            {"name": "Euler a", "aliases": ["k_euler_a", "k_euler_ancestral"], "options": {"uses_ensd": "True"}},
            {"name": "Euler", "aliases": ["k_euler"], "options": {}},
        ]
    )


async def ping(_request: Request) -> Response:
    """The real page asks it before it reconnects."""
    return JSONResponse({})


async def pending_tasks(request: Request) -> Response:
    """Waiting jobs only, as the real one: the running job is not among them."""
    tasks = [job.job_id for job in loom_of(request).queue.waiting]
    return JSONResponse({"size": len(tasks), "tasks": tasks})


def _state(job: Job) -> dict[str, Any]:
    return {
        "skipped": False,
        "interrupted": job.stop_asked.is_set(),
        "job": "scripts_txt2img",
        "job_count": job.parameters.picture_count,
        "job_timestamp": job.created_at.strftime("%Y%m%d%H%M%S"),
        "job_no": job.picture_number,
        "sampling_step": job.step,
        "sampling_steps": job.parameters.steps,
    }


def _info(job: Job, count: int) -> dict[str, Any]:
    parameters = job.parameters
    seeds = [parameters.seed + number for number in range(count)]
    return {
        "prompt": parameters.prompt,
        "all_prompts": [parameters.prompt] * count,
        "negative_prompt": parameters.negative_prompt,
        "all_negative_prompts": [parameters.negative_prompt] * count,
        "seed": parameters.seed,
        "all_seeds": seeds,
        "subseed": parameters.seed,
        "all_subseeds": seeds,
        "subseed_strength": 0,
        "width": parameters.width,
        "height": parameters.height,
        "sampler_name": parameters.sampler_name,
        "cfg_scale": parameters.cfg_scale,
        "steps": parameters.steps,
        "batch_size": parameters.batch_size,
        "restore_faces": False,
        "face_restoration_model": None,
        "sd_model_name": parameters.model,
        "sd_model_hash": _model_hash(parameters.model)[:10],
        "sd_vae_name": None,
        "sd_vae_hash": None,
        "seed_resize_from_w": -1,
        "seed_resize_from_h": -1,
        "denoising_strength": None,
        "extra_generation_params": {},
        "index_of_first_image": 0,
        "infotexts": [parameters.infotext(number) for number in range(count)],
        "styles": [],
        "job_timestamp": job.created_at.strftime("%Y%m%d%H%M%S"),
        "clip_skip": 1,
        "is_using_inpainting_conditioning": False,
        "version": "Loom",
    }


def _model(name: str, loom: Loom) -> dict[str, Any]:
    sha256 = _model_hash(name)
    filename = os.path.join(loom.data_dir, "models", name)  # noqa: PTH118  # text in an answer, no file
    return {
        "title": name,
        "model_name": name,
        "hash": sha256[:10],
        "sha256": sha256,
        "filename": filename,
        "config": None,
    }


def _model_hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


routes = [
    Route("/sdapi/v1/txt2img", txt2img, methods=["POST"]),
    Route("/sdapi/v1/progress", progress, methods=["GET"]),
    Route("/sdapi/v1/interrupt", interrupt, methods=["POST"]),
    Route("/sdapi/v1/options", get_options, methods=["GET"]),
    Route("/sdapi/v1/options", set_options, methods=["POST"]),
    Route("/sdapi/v1/sd-models", list_models, methods=["GET"]),
    Route("/sdapi/v1/samplers", list_samplers, methods=["GET"]),
    Route("/internal/ping", ping, methods=["GET"]),
    Route("/internal/pending-tasks", pending_tasks, methods=["GET"]),
]
