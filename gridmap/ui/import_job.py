"""Large files: dry run and storing in the background, followed from the page."""

from __future__ import annotations

import shutil
import uuid

import streamlit as st

from gridmap.domain.layers import Layer
from gridmap.domain.roles import User
from gridmap.services import district as districts
from gridmap.services import imports, jobs
from gridmap.services.district import District
from gridmap.services.imports import Mode
from gridmap.services.jobs import Job, JobState
from gridmap.ui import gate, state
from gridmap.ui.element_words import literal
from gridmap.ui.element_work import ImportWork


def is_large(work: ImportWork) -> bool:
    """Whether the file is work for the background."""
    # a job has no say in the mark of simulated data
    return work.table is not None and len(work.table) > imports.JOB_ROWS and not work.is_simulated


def start_job(
    district: District, user: User, layer: Layer, work: ImportWork, *, is_dry_run: bool, mode: Mode
) -> None:
    """Hand a copy of the file and its meaning to the background."""
    assert work.upload is not None
    job_id = str(uuid.uuid4())
    folder = jobs.folder_of(district.settings, job_id)
    folder.mkdir(parents=True, mode=0o700)
    path = folder / work.upload.path.name
    shutil.copyfile(work.upload.path, path)
    reading = work.reading
    jobs.start(
        district,
        user,
        "import",
        f"{'预检' if is_dry_run else '导入'}:{layer.title}",
        {
            "path": str(path),
            "filename": work.upload.name,
            "layer": layer.id,
            "layer_name": reading.layer_name,
            "encoding": reading.encoding,
            "lon_column": reading.lon_column,
            "lat_column": reading.lat_column,
            "datum": work.datum,
            "mapping": work.mapping,
            "values": work.values,
            "mode": mode.value,
            "is_dry_run": is_dry_run,
        },
        job_id=job_id,
    )
    work.job = job_id


@st.fragment(run_every="1s")
def follow_job(user: User, layer: Layer) -> None:
    """How far the job is, looked at every second; goes on with the page when it has ended."""
    gate.require()
    district = districts.running()
    work = state.of(user).elements.importing(layer.id)
    if work.job is None:
        st.rerun()
    job = jobs.get(district, user, work.job)
    if job.state.is_final:
        _take_job(district, user, work, job)
        st.rerun()
    words = job.message or ("排队等候" if job.state is JobState.QUEUED else "正在处理")
    st.progress(min(job.progress, 1.0), text=f"{literal(words)}(后台任务,可先去其他页面,稍后回来查看)")
    if st.button("取消", key="elements.import.cancel_job"):
        jobs.cancel(district, user, work.job)


def _take_job(district: District, user: User, work: ImportWork, job: Job) -> None:
    """What a job that has ended brought, and what it leaves behind tidied up."""
    folder = jobs.folder_of(district.settings, job.id)
    for file in folder.glob("upload*"):
        file.unlink(missing_ok=True)
    work.job = None
    if job.state is not JobState.DONE:
        state.of(user).notice = f"后台任务未完成:{job.message or job.state.title}"
        work.forget_plan()
        work.step = 2
        return
    result = job.result or {}
    work.report = {**result["report"], "job": job.id}
    problems = folder / "problems.csv"
    work.problems = problems.read_bytes() if problems.is_file() else b""
    if result.get("receipt"):
        work.receipt = result["receipt"]
        work.step = 4
