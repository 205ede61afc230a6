"""What chaos is seen through: the pages that a person gets, the rows of the stack's database, and the machine's processes."""

import hashlib
import html
import re
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import psycopg
from psycopg.rows import dict_row

from aigc_portal.embedded.layout import addresses
from engines.clusters.names import volume_name, workload_name
from tests.chaos import strange
from tests.stack import Person, Stack
from tests.waiting import wait_until

# Long enough for a slow machine; a test that passes never waits for it.
PATIENCE_SECONDS = 90
NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none", "Accept": "text/html"}


@dataclass
class World:
    """One stack, one person in it, and a look behind the pages."""

    stack: Stack
    person: Person
    directory: Path  # of the strange catalog and what mends its engines
    small_disk: Path | None = None  # the directory of the cluster `small-disk`, if it could be made
    tenant: str = "acme"
    _connection: psycopg.Connection[dict[str, Any]] | None = field(default=None, init=False)

    def close(self) -> None:
        self.person.client.close()
        if self._connection is not None:
            self._connection.close()

    # --- rows ---

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """Ask the database; one that was killed is waited for and asked again."""
        found: list[dict[str, Any]] = []

        def answered() -> bool:
            with suppress(psycopg.OperationalError):
                found[:] = self._ask(query, values)
                return True
            return False

        wait_until(answered, seconds=PATIENCE_SECONDS, pause=0.1)
        return found

    def cap_running(self, tenant: str, limit: int) -> None:
        """Let the tenant run so many, as operators would."""
        this = "FROM tenants_tenant WHERE slug = %s"
        self.rows(f"DELETE FROM tenants_quota WHERE measure = 'running' AND tenant_id = (SELECT id {this})", tenant)
        columns = 'tenant_id, author, role, measure, "limit", set_at'
        self.rows(f"INSERT INTO tenants_quota ({columns}) SELECT id, 'operator', '', 'running', %s, now() {this}", limit, tenant)

    def _ask(self, query: str, values: Sequence[object]) -> list[dict[str, Any]]:
        if self._connection is None or self._connection.closed:
            self._connection = self.connect()
        cursor = self._connection.execute(query, values)
        return cursor.fetchall() if cursor.description else []

    def connect(self, *, autocommit: bool = True) -> psycopg.Connection[dict[str, Any]]:
        url = addresses(self.stack.data_dir).database_url
        return psycopg.connect(url, autocommit=autocommit, row_factory=dict_row)

    def instance(self, slug: str) -> dict[str, Any]:
        """The instance's row with its volume's slug."""
        query = "SELECT i.*, v.slug AS volume FROM engines_instance i JOIN engines_volume v ON v.id = volume_id WHERE i.slug = %s"
        return self.rows(query, slug)[0]

    def states(self, slugs: list[str]) -> dict[str, str]:
        found = self.rows("SELECT slug, state FROM engines_instance WHERE slug = ANY(%s)", slugs)
        return {row["slug"]: row["state"] for row in found}

    def wait(self, slug: str, state: str) -> dict[str, Any]:
        """Wait until the instance is in the state; returns its row."""
        seen: dict[str, Any] = {}

        def arrived() -> bool:
            seen.update(self.instance(slug))
            return seen.get("state") == state

        try:
            wait_until(arrived, seconds=PATIENCE_SECONDS, pause=0.05)
        except AssertionError as error:
            error.add_note(f"{seen.get('name')} is {seen.get('state')} ({seen.get('reason')}), not {state}: {seen}")
            raise
        return seen

    def holding(self, gpu_class: str) -> int:
        """How many slots of a class are taken, by the rows."""
        held = "('provisioning', 'starting', 'running', 'stopping', 'deleting')"
        query = f"""SELECT count(*) AS taken FROM engines_instance i JOIN engines_gpuclass c ON c.id = i.gpu_class_id
            WHERE c.slug = %s AND i.state IN {held}"""
        return self.rows(query, gpu_class)[0]["taken"]

    def runs(self, slug: str) -> list[str]:
        """The lives that the instance's engine has had, oldest first."""
        query = """SELECT f.run_id FROM engines_runfact f JOIN engines_instance i ON i.id = f.instance_id
            WHERE i.slug = %s GROUP BY f.run_id ORDER BY min(f.at)"""
        return [row["run_id"] for row in self.rows(query, slug)]

    # --- what the person does and sees ---

    def launch(self, name: str, version: str, gpu_class: str = strange.WIDE) -> str:
        """Launch a strange engine by the form; returns the instance's slug."""
        answer = self.try_launch(name, version, gpu_class)
        assert answer.status_code == 200, sentences(answer.text)
        return self.rows("SELECT slug FROM engines_instance WHERE name = %s AND state <> 'deleted'", name)[0]["slug"]

    def try_launch(self, name: str, version: str, gpu_class: str = strange.WIDE, **fields: str) -> httpx.Response:
        wanted = {"engine": strange.ENGINE, "version": version, "gpu_class": gpu_class, "name": name}
        return self.person.post(f"/{self.tenant}/launch/", storage="new", size_gib="1", **(wanted | fields))

    def act(self, slug: str, action: str) -> None:
        """Press one of the instance's buttons."""
        answer = self.person.post(f"/{self.tenant}/instances/{slug}/{action}/", form=f"/{self.tenant}/")
        assert answer.status_code == 200, sentences(answer.text)

    def delete(self, slug: str) -> None:
        answer = self.person.post(f"/{self.tenant}/instances/{slug}/delete/", volume="keep")
        assert answer.status_code == 200, sentences(answer.text)

    def page(self, slug: str) -> str:
        """The instance's page as text."""
        answer = self.person.get(f"/{self.tenant}/instances/{slug}/")
        assert answer.status_code == 200
        return sentences(answer.text)

    # --- the machine ---

    def engines(self, slug: str) -> list[psutil.Process]:
        """Living engines of the instance: processes with its mark that run Loom."""
        return [process for process in self.marked(slug) if "engines.demo_engine" in process.cmdline()[2:3]]

    def marked(self, slug: str) -> list[psutil.Process]:
        """Every living process that has the mark of the instance's workload."""
        return [each for each in psutil.process_iter() if _mark(each) == workload_name(slug) and _lives(each)]

    def volume(self, slug: str, cluster: str = "chaos") -> Path:
        return self.stack.data_dir / "clusters" / cluster / "volumes" / volume_name(self.instance(slug)["volume"])

    def draw(self, slug: str, seed: int) -> None:
        """Have the engine make a picture, asking it directly."""
        asked = {"prompt": "a calm harbour", "seed": seed, "steps": 1, "width": 64, "height": 64}
        answer = httpx.post(f"http://{self.instance(slug)['upstream']}/sdapi/v1/txt2img", json=asked, timeout=60)
        assert answer.status_code == 200, answer.text

    def pictures(self, slug: str) -> dict[str, str]:
        """Path → SHA-256 of each picture in the instance's volume."""
        volume = self.volume(slug)
        return {str(path.relative_to(volume)): hashlib.sha256(path.read_bytes()).hexdigest() for path in volume.rglob("*.png")}

    def kill(self, victim: str) -> None:
        """kill -9 a program of the product (`worker's child`: one of its children), and wait until it is there again."""
        program, _, child = victim.partition("'s ")
        doomed = self.main_process(program)
        if child:
            self.kill_process(doomed.children()[0])
            return
        self.kill_process(doomed)
        self.main_process(program)

    def kill_process(self, process: psutil.Process) -> None:
        process.send_signal(signal.SIGKILL)
        wait_until(lambda: not _lives(process), seconds=PATIENCE_SECONDS)

    def main_process(self, program: str) -> psutil.Process:
        """The program's own process, whose children end with it, as soon as there is one."""
        wait_until(lambda: self.main_processes(program), seconds=PATIENCE_SECONDS)
        return self.main_processes(program)[0]

    def main_processes(self, program: str) -> list[psutil.Process]:
        return [each for each in self.stack.processes(program) if _parent(each) == self.stack.process.pid]

    def wait_until_served(self) -> None:
        """Wait until the person's list is served again by the gateway, the web server and what they need."""

        def served() -> bool:
            with suppress(httpx.HTTPError):
                return self.person.get(f"/{self.tenant}/").status_code == 200
            return False

        wait_until(served, seconds=PATIENCE_SECONDS, pause=0.1)

    @contextmanager
    def held_in_provisioning(self, slug: str, begin: Callable[[], None]) -> Iterator[None]:
        """Run `begin`, which resumes the instance, and hold it in PROVISIONING: nobody can write its volume's row meanwhile."""
        volume = self.instance(slug)["volume"]
        self.rows("UPDATE engines_volume SET written_by_id = NULL WHERE slug = %s", volume)  # so that it will be written
        holder = self.connect(autocommit=False)
        try:
            holder.execute("SELECT 1 FROM engines_volume WHERE slug = %s FOR UPDATE", [volume])
            begin()
            self.wait(slug, "provisioning")
            yield
        finally:
            holder.close()


class Visitor:
    """Somebody at an instance's own address, let in by the hand-off between gateway and portal."""

    def __init__(self, world: World, slug: str) -> None:
        self.host = f"{slug}.engines.localhost:{world.stack.port}"
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{world.stack.port}", timeout=30)
        nonce = self.get("/")
        portal = urlsplit(nonce.headers["Location"])
        signed_in = "; ".join(f"{name}={value}" for name, value in world.person.cookies.items())
        granted = world.person.client.get(f"{portal.path}?{portal.query}", headers={"Cookie": signed_in})
        callback = urlsplit(granted.headers["Location"])
        entered = self.get(f"{callback.path}?{callback.query}", cookie=_set_cookies(nonce))
        self.cookie = _set_cookies(entered)

    def close(self) -> None:
        self.client.close()

    def get(self, path: str, cookie: str = "") -> httpx.Response:
        headers = {"Host": self.host, "Cookie": cookie, **NAVIGATION}
        return self.client.get(path, headers={name: value for name, value in headers.items() if value})

    def sees_engine(self) -> bool:
        """Whether the engine's own page comes through, on the cookie of the first visit."""
        with suppress(httpx.HTTPError):
            answer = self.get("/", cookie=self.cookie)
            return answer.status_code == 200 and "<title>Loom" in answer.text
        return False


def _set_cookies(answer: httpx.Response) -> str:
    given = [line.partition(";")[0] for line in answer.headers.get_list("Set-Cookie")]
    assert given, f"{answer.status_code} sets no cookie: {answer.text[:500]}"
    return "; ".join(pair for pair in given if not pair.endswith("="))


def sentences(page: str) -> str:
    """The words of a page, without its tags."""
    body = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def _mark(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("AIGC_WORKLOAD")
    except (psutil.Error, OSError):
        return None


def _parent(process: psutil.Process) -> int | None:
    try:
        return process.ppid()
    except psutil.Error:  # it has ended meanwhile
        return None


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
