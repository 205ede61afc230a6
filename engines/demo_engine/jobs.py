"""One queue, one worker: jobs run in the order they came, one at a time, on a thread of their own."""

import asyncio
import logging
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from engines.demo_engine import png
from engines.demo_engine.files import DiskFull
from engines.demo_engine.library import Library, Picture
from engines.demo_engine.parameters import Parameters

if TYPE_CHECKING:
    from engines.demo_engine.generator import Step

log = logging.getLogger("loom")

MOST_WAITING = 100
MOST_REMEMBERED = 50
PREVIEW_EVERY_SECONDS = 0.15


class JobState(StrEnum):
    """Where a job is; all but the first two are final."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"
    FAILED = "failed"


class QueueFull(Exception):
    """Too many jobs are waiting."""


class NoSuchJob(Exception):
    """No job of that id is known, or it was forgotten."""


class _StoppedBetweenSteps(Exception):
    """The running job was asked to stop."""


@dataclass(eq=False)
class Job:
    """One request: up to parameters.picture_count pictures. Only the event loop changes it."""

    parameters: Parameters
    job_id: str = field(default_factory=lambda: secrets.token_hex(8))
    state: JobState = JobState.QUEUED
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    started_monotonic: float = 0.0
    picture_number: int = 0
    step: int = 0
    preview: str | None = None
    pictures: list[Picture] = field(default_factory=list)
    pngs: list[bytes] = field(default_factory=list)
    error: str | None = None
    disk_full: bool = False
    stop_asked: threading.Event = field(default_factory=threading.Event)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def progress(self) -> float:
        """Share done, 0..1."""
        return (self.picture_number * self.parameters.steps + self.step) / (self.parameters.picture_count * self.parameters.steps)

    @property
    def eta_seconds(self) -> float:
        """Seconds to go at the speed so far; 0 before the first step."""
        if self.state is not JobState.RUNNING or self.progress == 0:
            return 0.0
        elapsed = time.monotonic() - self.started_monotonic
        return elapsed / self.progress - elapsed

    def as_json(self) -> dict[str, Any]:
        """For the page."""
        return {
            "id": self.job_id,
            "state": self.state,
            "created_at": self.created_at.isoformat(),
            "parameters": self.parameters.of_picture(0)
            | {"batch_size": self.parameters.batch_size, "n_iter": self.parameters.n_iter},
            "picture_number": self.picture_number,
            "picture_count": self.parameters.picture_count,
            "step": self.step,
            "steps": self.parameters.steps,
            "progress": round(self.progress, 4),
            "eta_seconds": round(self.eta_seconds, 2),
            "error": self.error,
            "pictures": [picture.picture_id for picture in self.pictures],
        }


class JobQueue:
    """First in, first out. Methods are called on the event loop; only `_work` runs on the thread."""

    def __init__(self, library: Callable[[], Library], announce: Callable[[dict[str, Any]], None]):
        self._library = library
        self._announce = announce
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="loom-worker")
        self.waiting: list[Job] = []
        self.current: Job | None = None
        self.past: list[Job] = []
        self.stopping = False

    def enqueue(self, parameters: Parameters) -> Job:
        """Put a job at the end of the queue."""
        if self.stopping or len(self.waiting) >= MOST_WAITING:
            raise QueueFull(
                "The engine is stopping." if self.stopping else f"{MOST_WAITING} jobs are waiting already. Try again later."
            )
        job = Job(parameters)
        self.waiting.append(job)
        self._arrived.set()
        self.announce_queue()
        return job

    def find(self, job_id: str) -> Job:
        """A waiting, running or remembered job."""
        for job in self.jobs():
            if job.job_id == job_id:
                return job
        raise NoSuchJob(job_id)

    def jobs(self) -> list[Job]:
        """Running, waiting in order, then past ones, newest first."""
        return ([self.current] if self.current else []) + self.waiting + self.past[::-1]

    def cancel(self, job_id: str) -> Job:
        """Take a waiting job out, or stop the running one between two steps; does nothing to a past one."""
        job = self.find(job_id)
        if job in self.waiting:
            self.waiting.remove(job)
            self._end(job, JobState.CANCELLED)
        else:
            job.stop_asked.set()
        return job

    def interrupt(self) -> None:
        """Stop the running job between two steps; the next one follows."""
        if self.current:
            self.current.stop_asked.set()

    def stop(self) -> None:
        """Take no more, cancel what waits, stop what runs; a file that is being written is finished."""
        self.stopping = True
        for job in list(self.waiting):
            self.cancel(job.job_id)
        self.interrupt()
        self._arrived.set()

    async def run(self) -> None:
        """The worker; returns after `stop`."""
        while not self.stopping:
            if not self.waiting:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            self.current = self.waiting.pop(0)
            await self._run_job(self.current)
        self._thread.shutdown()

    async def _run_job(self, job: Job) -> None:
        loop = asyncio.get_running_loop()
        job.state, job.started_monotonic = JobState.RUNNING, time.monotonic()
        self.announce_queue()
        log.info("Job %s: %s", job.job_id, job.parameters.infotext().replace("\n", " | "))
        state = JobState.FINISHED
        try:
            await loop.run_in_executor(self._thread, self._work, loop, job)
        except _StoppedBetweenSteps:
            state = JobState.INTERRUPTED
        except DiskFull as error:
            state, job.error, job.disk_full = JobState.FAILED, str(error), True
        except Exception:  # the worker outlives whatever one job runs into
            state, job.error = JobState.FAILED, "The picture could not be made. The engine's log says why."
            log.exception("Job %s failed", job.job_id)
        self.current = None
        self._end(job, state)

    def _end(self, job: Job, state: JobState) -> None:
        job.state, job.preview = state, None
        self.past = [*self.past, job][-MOST_REMEMBERED:]
        log.info("Job %s %s, %d saved%s", job.job_id, state, len(job.pictures), f": {job.error}" if job.error else "")
        self.announce_queue()
        if job.error:
            self._announce({"type": "failed", "job_id": job.job_id, "error": job.error})
        job.done.set()

    def _work(self, loop: asyncio.AbstractEventLoop, job: Job) -> None:
        """Draw and save every picture of the job; runs on the worker thread."""
        from engines.demo_engine.generator import draw_picture  # noqa: PLC0415  # start-up must not wait for NumPy

        shown = 0.0
        for number in range(job.parameters.picture_count):
            for step in draw_picture(job.parameters, job.parameters.seed + number):
                preview = None
                if time.monotonic() - shown > PREVIEW_EVERY_SECONDS:
                    shown, preview = time.monotonic(), png.encode_preview(step.pixels)
                loop.call_soon_threadsafe(self._on_step, job, number, step.number, preview)
                if step.number == step.of:
                    self._finish_picture(loop, job, number, step)
                elif job.stop_asked.is_set():
                    raise _StoppedBetweenSteps
            if job.stop_asked.is_set() and number + 1 < job.parameters.picture_count:
                raise _StoppedBetweenSteps

    def _finish_picture(self, loop: asyncio.AbstractEventLoop, job: Job, number: int, step: "Step") -> None:
        created_at = datetime.now(UTC)
        facts = {"created_at": created_at.isoformat(), "parameters": job.parameters.of_picture(number)}
        content = png.encode_png(step.pixels, job.parameters.infotext(number), facts)
        seed = job.parameters.seed + number
        picture = self._library().save(content, seed, created_at) if job.parameters.save_images else None
        loop.call_soon_threadsafe(self._on_picture, job, content, picture)

    def _on_step(self, job: Job, number: int, step: int, preview: str | None) -> None:
        job.picture_number, job.step, job.preview = number, step, preview or job.preview
        self._announce({"type": "progress", "job": job.as_json(), "preview": preview})

    def _on_picture(self, job: Job, content: bytes, picture: Picture | None) -> None:
        job.pngs.append(content)
        if picture:
            job.pictures.append(picture)
            self._announce({"type": "picture", "job_id": job.job_id, "picture": picture.as_json()})

    def announce_queue(self) -> None:
        """Tell every page which jobs run and wait."""
        self._announce({"type": "queue", "jobs": self.active_as_json()})

    def active_as_json(self) -> list[dict[str, Any]]:
        """Running and waiting jobs."""
        return [job.as_json() for job in ([self.current] if self.current else []) + self.waiting]
