"""What the embedded server refuses: each time one sentence that says what to do, and nothing is touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from adapters.postgres import cluster, embedded
from tests.postgres.processes import AS_ROOT, recall, servers_in, stopped_cluster


def test_data_of_another_major_version(data_dir: Path) -> None:
    (data_dir / "cluster").mkdir(parents=True)
    (data_dir / "cluster" / "PG_VERSION").write_text("16\n")
    with pytest.raises(embedded.WrongMajorVersion, match="written by PostgreSQL 16 and this is 18: choose another"):
        embedded.start(data_dir)


def test_a_folder_that_holds_something_else(data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "thesis.txt").write_text("years of work")
    with pytest.raises(embedded.DataDirNotOurs, match=r"thesis\.txt.*choose an empty data directory"):
        embedded.start(data_dir)
    assert (data_dir / "thesis.txt").read_text() == "years of work"


def test_a_path_that_is_no_folder(data_dir: Path) -> None:
    data_dir.write_text("")
    with pytest.raises(embedded.DataDirNotWritable, match="choose another data directory"):
        embedded.start(data_dir)


def test_a_folder_that_belongs_to_somebody_else(data_dir: Path) -> None:
    somebody_elses = data_dir if AS_ROOT else Path("/usr")
    if AS_ROOT:
        data_dir.mkdir()
        os.chown(data_dir, 65534, 65534)
    with pytest.raises(embedded.DataDirNotWritable, match="choose another data directory"):
        embedded.start(somebody_elses)


def test_a_server_that_will_not_start_is_quoted(data_dir: Path) -> None:
    stopped_cluster(data_dir)
    with (data_dir / "cluster" / "postgresql.conf").open("a") as configuration:
        configuration.write("max_connections = many\n")
    with pytest.raises(embedded.ServerDidNotStart, match=r"last words: .*max_connections"):
        embedded.start(data_dir)
    assert servers_in(data_dir) == []


def test_a_refusal_leaves_the_folder_free(data_dir: Path) -> None:
    stopped_cluster(data_dir)
    configuration = data_dir / "cluster" / "postgresql.conf"
    good = configuration.read_text()
    configuration.write_text("nonsense\n")
    with pytest.raises(embedded.ServerDidNotStart):
        embedded.start(data_dir)
    configuration.write_text(good)
    assert recall(data_dir) == "kept"


def test_a_full_disk(data_dir: Path) -> None:
    words = 'FATAL:  could not write to file "pg_wal/xlogtemp.1": No space left on device'
    assert isinstance(cluster.said(data_dir, "initdb", words), embedded.NoSpaceLeft)
    refused = cluster.unusable(data_dir, OSError(28, "No space left on device", "x"))
    assert isinstance(refused, embedded.NoSpaceLeft)
