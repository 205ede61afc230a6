import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
from celery import Celery

from aigc_portal.embedded import services
from aigc_portal.embedded.account import Account, command_as
from aigc_portal.embedded.errors import EmbeddedError
from aigc_portal.embedded.layout import celery_url, layout_of
from aigc_portal.embedded.ports import caddy_binary, require_free_port
from aigc_portal.embedded.process import read_pid, take_lock

REPOSITORY = Path(__file__).resolve().parents[2]


def run_sql(running, statement):
    with psycopg.connect(running.addresses.database_url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchone()[0] if cursor.description else None


def valkey_of(running):
    return redis.Redis.from_url(running.addresses.redis_url)


def wait_until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not become true in time"
        time.sleep(0.02)


def is_free(lock):
    descriptor = take_lock(lock)
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is not None


def test_a_restart_keeps_rows_and_keys(data_dir):
    with services.start(data_dir) as running:
        run_sql(running, "CREATE TABLE kept AS SELECT 42 AS answer")
        valkey_of(running).rpush("queue", "task")
    assert is_free(layout_of(data_dir).postgres_lock)
    assert is_free(layout_of(data_dir).valkey_lock)
    with services.start(data_dir) as running:
        assert run_sql(running, "SELECT answer FROM kept") == 42
        assert valkey_of(running).lrange("queue", 0, -1) == [b"task"]


def test_a_second_start_attaches_and_does_not_stop_what_it_found(data_dir, fast):
    with services.start(data_dir, fast) as first:
        with services.start(data_dir, fast) as second:
            assert second.started == []
            assert second.addresses == first.addresses
        assert run_sql(first, "SELECT 1") == 1
        assert valkey_of(first).ping() is True


def test_stop_ends_services_that_somebody_else_started(data_dir, fast):
    running = services.start(data_dir, fast)
    services.stop(data_dir)
    assert [server.has_died() for server in running.servers] == [True, True]
    services.stop(data_dir)  # nothing left: does nothing


def test_killed_services_come_back_with_their_data(data_dir):
    with services.start(data_dir) as running:
        run_sql(running, "CREATE TABLE kept AS SELECT 42 AS answer")
        assert running.revive() == []
        for server in running.servers:
            os.kill(read_pid(server.lock), signal.SIGKILL)
        wait_until(lambda: all(server.has_died() for server in running.servers))
        assert running.revive() == ["PostgreSQL", "Valkey"]
        assert run_sql(running, "SELECT answer FROM kept") == 42
        assert valkey_of(running).ping() is True


def test_a_stale_pid_file_that_names_a_living_process_is_ignored(data_dir, fast):
    with services.start(data_dir, fast):
        pass
    stale = layout_of(data_dir).postgres / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n{layout_of(data_dir).postgres}\n0\n5432\n{layout_of(data_dir).run}\n\n0 0\nready\n")
    with services.start(data_dir, fast) as running:
        assert run_sql(running, "SELECT 1") == 1


def test_services_end_when_their_owner_is_killed(data_dir):
    program = f"from aigc_portal.embedded import services as s; s.start({str(data_dir)!r}); print('up', flush=True); input()"
    owner = subprocess.Popen(
        [sys.executable, "-c", program], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout.readline() == "up\n"
    owner.kill()
    owner.communicate()
    layout = layout_of(data_dir)
    wait_until(lambda: is_free(layout.postgres_lock) and is_free(layout.valkey_lock))
    with services.start(data_dir) as running:
        assert len(running.started) == 2


def test_two_data_directories_side_by_side(data_dir, tmp_path_factory, fast):
    other = data_dir / "other"
    with services.start(data_dir, fast) as first, services.start(other, fast) as second:
        run_sql(first, "CREATE TABLE only_here (id int)")
        assert run_sql(second, "SELECT count(*) FROM pg_tables WHERE tablename = 'only_here'") == 0
        valkey_of(first).set("only", "here")
        assert valkey_of(second).get("only") is None


def test_a_deep_data_directory_works(data_dir, fast):
    deep = data_dir / ("x" * 60) / ("Y" * 60)
    with services.start(deep, fast) as running:
        assert run_sql(running, "SELECT 1") == 1
        assert valkey_of(running).ping() is True
    shutil.rmtree(layout_of(deep).run)


def test_only_what_is_wanted_is_started(data_dir):
    with services.start(data_dir, services.Wanted(postgres=False)) as running:
        assert [server.name for server in running.started] == ["Valkey"]
        assert not layout_of(data_dir).postgres.exists()


def test_an_unfinished_first_start_is_begun_again(data_dir, fast):
    unfinished = data_dir / "postgres.new"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")
    with services.start(data_dir, fast) as running:
        assert run_sql(running, "SELECT 1") == 1
    assert not unfinished.exists()


def test_data_of_another_major_version_is_refused(data_dir, fast):
    with services.start(data_dir, fast):
        pass
    (layout_of(data_dir).postgres / "PG_VERSION").write_text("16\n")
    with pytest.raises(EmbeddedError, match="was written by PostgreSQL 16, this release brings 18"):
        services.start(data_dir, fast)


def test_damaged_data_is_refused_with_the_words_of_the_server(data_dir, fast):
    with services.start(data_dir, fast):
        pass
    (layout_of(data_dir).postgres / "global" / "pg_control").unlink()
    with pytest.raises(EmbeddedError, match=r"(?s)PostgreSQL did not start.*could not open file.*pg_control"):
        services.start(data_dir, fast)
    assert is_free(layout_of(data_dir).postgres_lock)


def test_a_data_directory_that_cannot_be_made_is_named(data_dir, fast):
    (data_dir / "file").touch()
    with pytest.raises(EmbeddedError, match=r"file.* cannot be written .*AIGC_DATA_DIR"):
        services.start(data_dir / "file" / "data", fast)


def test_a_full_disk_is_named(data_dir, fast, monkeypatch):
    monkeypatch.setattr(services, "LEAST_FREE_MIB", shutil.disk_usage(data_dir).total // 2**20 + 1)
    with pytest.raises(EmbeddedError, match=r"MiB free; \d+ MiB are needed"):
        services.start(data_dir, fast)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_ordinary_user_runs_everything_under_their_own_account(data_dir):
    nobody = Account(65534, 65534)
    os.chown(data_dir, nobody.uid, nobody.gid)
    home = data_dir / "home"
    program = (
        f"from aigc_portal.embedded import services as s\n"
        f"import psutil\n"
        f"from aigc_portal.embedded.process import read_pid\n"
        f"with s.start({str(home)!r}) as running:\n"
        f"    print([psutil.Process(read_pid(server.lock)).uids().real for server in running.servers])"
    )
    python = Path(sys.executable)
    result = subprocess.run(
        command_as(nobody, [str(python), "-c", program], needs=(python,), dies_with_us=signal.SIGTERM),
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.stdout, result.returncode) == (f"[{nobody.uid}, {nobody.uid}]\n", 0), result.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the services under another account")
def test_root_runs_them_as_the_owner_of_the_data_even_below_a_closed_directory(data_dir, fast):
    home = data_dir / "home"
    home.mkdir()
    daemon = pwd.getpwnam("daemon")
    os.chown(home, daemon.pw_uid, daemon.pw_gid)
    data_dir.chmod(0o700)  # root's alone, as /root is
    with services.start(home, fast) as running:
        assert [psutil.Process(read_pid(server.lock)).uids().real for server in running.servers] == [daemon.pw_uid] * 2
        assert run_sql(running, "SELECT 1") == 1
    assert data_dir.stat().st_mode & 0o777 == 0o700


def test_celery_reaches_the_embedded_valkey(data_dir):
    with services.start(data_dir, services.Wanted(postgres=False)) as running:
        app = Celery(broker=celery_url(running.addresses.redis_url))
        app.send_task("anything", queue="provision")
        assert valkey_of(running).llen("provision") == 1
        app.close()


def test_a_taken_port_names_its_holder():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(EmbeddedError, match=rf"Port {port} is taken by .+ \(pid {os.getpid()}\)\. End it, or choose another"):
            require_free_port(port)
    require_free_port(port)


def test_caddy_is_the_one_that_pip_installed():
    version = subprocess.run([caddy_binary(), "version"], capture_output=True, text=True, check=True).stdout
    assert version.startswith("v2.11.")
