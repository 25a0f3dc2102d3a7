"""Long work in worker processes."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from gridmap.errors import InvalidInput, NotFound
from gridmap.services import jobs
from gridmap.services.district import District
from gridmap.services.jobs import JobFailed, JobState
from gridmap.storage import jobs as stored
from gridmap.storage.tables import setting
from tests.support.district import ADMIN, ANALYST, VIEWER, make_district

PATIENCE = 60.0

for _name in ("add", "crash", "refuse", "stumble", "sleep", "write_slowly"):
    jobs.register(f"test-{_name}", f"tests.support.jobs:{_name}")


@pytest.fixture
def district(gpkg_url: str, tmp_path: Path, clock) -> Iterator[District]:
    made = make_district(gpkg_url, tmp_path, clock)
    yield made
    made.close()


def eventually(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def started_sleeper(district: District) -> tuple[jobs.Job, int]:
    job = jobs.start(district, ANALYST, "test-sleep", "睡", {})
    mark = jobs.folder_of(district.settings, job.id) / "pid"
    eventually(lambda: mark.exists() and mark.read_text() != "")
    return job, int(mark.read_text())


def test_a_job_answers_with_its_result(district: District) -> None:
    job = jobs.start(district, ANALYST, "test-add", "求和", {"a": 2, "b": 3})
    done = jobs.wait(district, ADMIN, job.id)

    assert (done.state, done.progress, done.result) == (JobState.DONE, 1.0, {"sum": 5, "user": "analyst"})
    assert done.parameters == {"a": 2, "b": 3}
    eventually(lambda: jobs.get(district, ADMIN, job.id).log != "")
    assert "adding" in jobs.get(district, ADMIN, job.id).log


def test_a_worker_that_dies_leaves_a_failed_job_with_its_log(district: District) -> None:
    job = jobs.start(district, ANALYST, "test-crash", "摔", {})
    with pytest.raises(JobFailed, match="77"):
        jobs.wait(district, ANALYST, job.id)

    eventually(lambda: jobs.get(district, ADMIN, job.id).log != "")
    failed = jobs.get(district, ADMIN, job.id)
    assert failed.state is JobState.FAILED
    assert "about to fall" in failed.log


def test_a_refusal_reaches_the_person_in_chinese(district: District) -> None:
    job = jobs.start(district, ANALYST, "test-refuse", "拒", {})
    with pytest.raises(JobFailed) as failed:
        jobs.wait(district, ANALYST, job.id)
    assert failed.value.chinese() == "数字不对,请改正。"


def test_an_unforeseen_error_shows_a_reference_and_no_detail(district: District) -> None:
    job = jobs.start(district, ANALYST, "test-stumble", "绊", {})
    with pytest.raises(JobFailed) as failed:
        jobs.wait(district, ANALYST, job.id)

    message = failed.value.chinese()
    assert "secret detail" not in message
    reference = message.split("编号 ")[1][:8]
    eventually(lambda: reference in jobs.get(district, ADMIN, job.id).log)
    assert jobs.get(district, ANALYST, job.id).log == ""


def test_cancelling_ends_the_own_worker(district: District) -> None:
    job, pid = started_sleeper(district)
    eventually(lambda: jobs.get(district, ANALYST, job.id).message == "等待中")

    cancelled = jobs.cancel(district, ANALYST, job.id)

    assert cancelled.state is JobState.CANCELLED
    eventually(lambda: not is_running(pid))
    assert jobs.get(district, ANALYST, job.id).state is JobState.CANCELLED


def test_a_job_cancelled_by_another_process_ends_itself(district: District) -> None:
    job, pid = started_sleeper(district)
    # what another server does: it has the table, and not the child
    with district.database.write() as connection:
        stored.finish(connection, job.id, JobState.CANCELLED, at=district.clock(), message="别处取消")

    eventually(lambda: not is_running(pid))


def test_a_job_cancelled_before_its_commit_stores_nothing(district: District) -> None:
    job = jobs.start(district, ANALYST, "test-write_slowly", "写", {})
    folder = jobs.folder_of(district.settings, job.id)
    eventually((folder / "ready").exists)
    with district.database.write() as connection:
        stored.finish(connection, job.id, JobState.CANCELLED, at=district.clock(), message="")
    (folder / "go").touch()

    eventually(lambda: job.id not in jobs._children)
    with district.database.read() as connection:
        assert connection.execute(select(setting)).all() == []


def test_result_and_work_are_stored_together(district: District) -> None:
    job = jobs.start(district, ANALYST, "test-write_slowly", "写", {})
    folder = jobs.folder_of(district.settings, job.id)
    eventually((folder / "ready").exists)
    (folder / "go").touch()

    assert jobs.wait(district, ANALYST, job.id).result == {"written": True}
    with district.database.read() as connection:
        assert connection.execute(select(setting.c.key)).scalars().all() == ["trace"]


def test_no_more_than_the_stated_number_run_at_once(district: District) -> None:
    sleepers = [started_sleeper(district) for _ in range(jobs.MOST_AT_ONCE)]
    waiting = jobs.start(district, ANALYST, "test-add", "求和", {"a": 1, "b": 1})

    assert jobs.get(district, ANALYST, waiting.id).state is JobState.QUEUED
    for job, _ in sleepers:
        jobs.cancel(district, ANALYST, job.id)
    assert jobs.wait(district, ANALYST, waiting.id).result["sum"] == 2


def test_a_queued_job_that_was_cancelled_never_starts(district: District) -> None:
    sleepers = [started_sleeper(district) for _ in range(jobs.MOST_AT_ONCE)]
    waiting = jobs.start(district, ANALYST, "test-sleep", "睡", {})
    jobs.cancel(district, ANALYST, waiting.id)
    for job, _ in sleepers:
        jobs.cancel(district, ANALYST, job.id)

    eventually(lambda: waiting.id not in jobs._children)
    assert not jobs.folder_of(district.settings, waiting.id).exists()


def test_workers_end_with_their_server(district: District, tmp_path: Path) -> None:
    script = (
        "import sys, time, pickle, pathlib\n"
        "from gridmap.services import jobs\n"
        "from gridmap.services.district import open_district\n"
        "settings, user = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes())\n"
        "jobs.register('test-sleep', 'tests.support.jobs:sleep')\n"
        "print(jobs.start(open_district(settings), user, 'test-sleep', '睡', {}).id, flush=True)\n"
        "time.sleep(600)\n"
    )
    import pickle

    order = tmp_path / "order"
    order.write_bytes(pickle.dumps((district.settings, ANALYST)))
    root = Path(__file__).resolve().parents[2]
    server = subprocess.Popen([sys.executable, "-c", script, str(order)], cwd=root, stdout=subprocess.PIPE)
    assert server.stdout is not None
    job_id = server.stdout.readline().decode().strip()
    mark = jobs.folder_of(district.settings, job_id) / "pid"
    eventually(lambda: mark.exists() and mark.read_text() != "")
    worker = int(mark.read_text())

    server.kill()
    server.wait()
    server.stdout.close()

    eventually(lambda: not is_running(worker))
    assert jobs.get(district, ADMIN, job_id).state is JobState.RUNNING
    assert jobs.recover(district) == [job_id]
    assert jobs.get(district, ADMIN, job_id).state is JobState.FAILED


def test_recovering_leaves_living_jobs_alone(district: District) -> None:
    job, _ = started_sleeper(district)

    assert jobs.recover(district) == []
    assert jobs.get(district, ANALYST, job.id).state is JobState.RUNNING
    jobs.cancel(district, ANALYST, job.id)


@pytest.mark.parametrize(
    ("host", "is_mine"), [(socket.gethostname(), True), ("another-machine", False)], ids=["here", "elsewhere"]
)
def test_recovering_speaks_for_this_machine_alone(district: District, host: str, is_mine: bool) -> None:
    with district.database.write() as connection:
        stored.add(
            connection, job_id="gone", kind="test-add", title="", username="analyst", parameters={},
            pid=os.getpid(), host=host, at=district.clock(),
        )  # fmt: skip
    assert (jobs.recover(district) == ["gone"]) is is_mine


def test_old_jobs_are_forgotten_with_their_files(district: District, clock) -> None:
    job = jobs.start(district, ANALYST, "test-add", "求和", {"a": 1, "b": 1})
    jobs.wait(district, ANALYST, job.id)
    with district.database.write() as connection:
        # the worker's own clock is the real one
        connection.exec_driver_sql("UPDATE job SET ended_at = '2026-03-02T08:00:00.000000Z'")
    folder = jobs.folder_of(district.settings, job.id)
    folder.mkdir(parents=True)

    clock.advance(days=jobs.KEPT_DAYS)
    jobs.recover(district)
    assert jobs.get(district, ANALYST, job.id).state is JobState.DONE
    clock.advance(**{"seconds": timedelta(seconds=1).seconds})
    jobs.recover(district)
    with pytest.raises(NotFound):
        jobs.get(district, ANALYST, job.id)
    assert not folder.exists()


def test_jobs_of_others_are_not_seen(district: District) -> None:
    job = jobs.start(district, ANALYST, "test-add", "求和", {"a": 1, "b": 1})
    jobs.wait(district, ANALYST, job.id)

    for ask in (jobs.get, jobs.cancel):
        with pytest.raises(NotFound):
            ask(district, VIEWER, job.id)
    assert jobs.list_jobs(district, VIEWER) == []
    assert [one.id for one in jobs.list_jobs(district, ADMIN)] == [job.id]


def test_an_unknown_kind_is_refused(district: District) -> None:
    with pytest.raises(InvalidInput):
        jobs.start(district, ANALYST, "no-such", "", {})
    assert jobs.list_jobs(district, ADMIN) == []


def test_the_rights_of_the_worker_are_those_of_the_asker(district: District) -> None:
    asker = replace(ANALYST, username="somebody")
    job = jobs.start(district, asker, "test-add", "求和", {"a": 1, "b": 1})
    assert jobs.wait(district, asker, job.id).result["user"] == "somebody"
