"""The embedded server against real processes: who holds it, who dies, what is left, and who is never hurt."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import psycopg
import pytest

from adapters.postgres import embedded, server_user
from tests.postgres.processes import (
    AS_ROOT,
    OWNER_PROCESS,
    eventually,
    innocent,
    orphan,
    owner_process,
    recall,
    remember,
    run,
    server_pid,
    servers_in,
    stopped_cluster,
)


def test_data_survives_a_restart(data_dir: Path) -> None:
    stopped_cluster(data_dir)
    assert recall(data_dir) == "kept"


def test_the_last_holder_stops_the_server(data_dir: Path) -> None:
    first, second = embedded.start(data_dir), embedded.start(data_dir)
    first.stop()
    first.stop()
    assert run(second.owner_url, "SELECT 1") == 1
    assert servers_in(data_dir)
    second.stop()
    assert servers_in(data_dir) == []


def test_a_second_process_is_told_who_holds_the_folder(data_dir: Path) -> None:
    with embedded.start(data_dir) as server:
        with owner_process(data_dir) as (_, said):
            assert said["error"] == "DataDirInUse"
            assert f"process {os.getpid()}" in said["message"]
            assert "pytest" in said["message"]
        assert run(server.owner_url, "SELECT 1") == 1


def test_the_holder_is_named_when_it_is_another_process(data_dir: Path) -> None:
    with owner_process(data_dir) as (process, _), pytest.raises(embedded.DataDirInUse) as refusal:
        embedded.start(data_dir)
    command = shlex.join([sys.executable, str(OWNER_PROCESS), str(data_dir)])
    assert f"process {process.pid} ({command})" in str(refusal.value)


def test_a_stale_pid_file_never_hurts_another_process(data_dir: Path) -> None:
    stopped_cluster(data_dir)
    uid = (data_dir / "cluster").stat().st_uid
    with innocent(uid) as bystander:
        for name in ("cluster/postmaster.pid", "run/.s.PGSQL.5432.lock", "owner.lock"):
            (data_dir / name).write_text(f"{bystander.pid}\n/proc/self/fd/5\n1700000000\n5432\n\n")
            os.chown(data_dir / name, uid, -1)
        assert recall(data_dir) == "kept"
        assert bystander.poll() is None


def test_a_stale_pid_file_never_stops_another_server(data_dir: Path, tmp_path: Path) -> None:
    stopped_cluster(data_dir)
    with embedded.start(tmp_path / "other") as other:
        pid = server_pid(tmp_path / "other")
        (data_dir / "cluster" / "postmaster.pid").write_text(f"{pid}\n")
        assert recall(data_dir) == "kept"
        assert server_pid(tmp_path / "other") == pid
        assert run(other.owner_url, "SELECT 1") == 1


def test_the_server_ends_when_its_owner_is_killed_and_the_data_is_there(data_dir: Path) -> None:
    with owner_process(data_dir) as (process, said):
        remember(said["url"])
        process.kill()
        process.wait()
        eventually(lambda: not servers_in(data_dir))
    assert recall(data_dir) == "kept"


def test_a_start_right_after_a_kill_of_the_owner_finds_the_data(data_dir: Path) -> None:
    with owner_process(data_dir) as (process, said):
        remember(said["url"])
        process.kill()
        process.wait()
        assert recall(data_dir) == "kept"


def test_a_start_right_after_a_kill_of_owner_and_keeper_finds_the_data(data_dir: Path) -> None:
    with owner_process(data_dir) as (process, said):
        remember(said["url"])
        parent = psutil.Process(server_pid(data_dir)).ppid()
        os.kill(process.pid, signal.SIGKILL)
        os.kill(parent, signal.SIGKILL)
        process.wait()
        assert recall(data_dir) == "kept"
    assert servers_in(data_dir) == []


def test_a_forked_child_neither_stops_the_server_nor_keeps_it_alive(data_dir: Path) -> None:
    with owner_process(data_dir, "fork") as (process, said):
        remember(said["url"])
        os.kill(said["child"], signal.SIGTERM)
        assert run(said["url"], "SELECT word FROM memory") == "kept"
    with owner_process(data_dir, "fork") as (process, said):
        process.kill()
        process.wait()
        eventually(lambda: not servers_in(data_dir))
        assert psutil.pid_exists(said["child"])


def test_a_server_left_running_is_stopped_cleanly_and_the_data_is_there(data_dir: Path) -> None:
    stopped_cluster(data_dir)
    with orphan(data_dir, holds_lock=True) as process:
        assert recall(data_dir) == "kept"
        assert process.wait() == 0


def test_a_server_started_by_hand_is_named_and_left_alone(data_dir: Path) -> None:
    stopped_cluster(data_dir)
    with orphan(data_dir, holds_lock=False) as process:
        with pytest.raises(embedded.DataDirInUse, match=f"process {process.pid}"):
            embedded.start(data_dir)
        assert process.poll() is None
    assert recall(data_dir) == "kept"


def test_a_server_that_is_killed_comes_back_with_what_was_committed(data_dir: Path) -> None:
    with embedded.start(data_dir) as server:
        remember(server)
        pid = server_pid(data_dir)
        os.kill(pid, signal.SIGKILL)

        def is_back() -> bool:
            try:
                return bool(run(server.owner_url, "SELECT word FROM memory") == "kept") and server_pid(data_dir) != pid
            except psycopg.OperationalError:
                return False

        eventually(is_back)
    assert servers_in(data_dir) == []


def test_a_first_start_that_was_cut_off_leaves_no_trace(data_dir: Path) -> None:
    half = data_dir / "cluster.new-half"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    with embedded.start(data_dir) as server:
        assert run(server.app_url, "SELECT 1") == 1
    assert not half.exists()


def test_it_works_below_a_folder_that_others_cannot_enter(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with embedded.start(closed / "a" / "postgres") as server:
        remember(server)
        assert server.data_dir.is_relative_to(closed)
    assert (closed / "a" / "postgres" / "cluster" / "PG_VERSION").exists()
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


def test_a_plain_user_can_run_it() -> None:
    """As root in a process of nobody's; any other user is the plain user already."""
    home = Path(tempfile.mkdtemp(prefix="whyleft-test-"))
    try:
        before: tuple[str, ...] = ()
        if AS_ROOT:
            nobody = server_user.ServerUser("nobody", 65534, 65534, is_me=False)
            os.chown(home, nobody.uid, nobody.gid)
            before = ("setpriv", f"--reuid={nobody.uid}", f"--regid={nobody.gid}", "--clear-groups")
            if subprocess.run(["test", "-x", sys.executable], **nobody.as_process_arguments()).returncode:
                # This interpreter lies in a folder of root's: let nobody read there, and nothing else.
                before += ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
        with owner_process(home / "postgres", before=before) as (_, said):
            assert said["uid"] != 0
            assert {psutil.Process(pid).uids().real for pid in servers_in(home / "postgres")} == {said["uid"]}
            remember(said["url"])
        assert (home / "postgres" / "cluster").stat().st_uid == said["uid"]
        assert servers_in(home / "postgres") == []
    finally:
        shutil.rmtree(home)


def test_a_path_longer_than_a_socket_address_works(tmp_path: Path) -> None:
    data_dir = tmp_path / ("long" * 30) / "postgres"
    server = embedded.start(data_dir)
    alias = server._socket_folder.parent
    assert run(server.app_url, "SELECT 1") == 1
    assert stat.S_IMODE(alias.stat().st_mode) == 0o700
    server.stop()
    assert not alias.exists()


@pytest.mark.parametrize("name", ["a,b", 'it\'s "odd" & 100 % ü', "with spaces", "\udcff"])
def test_a_path_with_odd_characters_works(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    with embedded.start(tmp_path_factory.mktemp("p") / name) as server:
        assert run(server.app_url, "SELECT current_user") == "whyleft_app"
        assert run(server.url("postgres"), "SELECT current_database()") == "postgres"
