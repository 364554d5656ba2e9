"""The small files beside the data, damaged: settings, the journal of a study, metrics, the marker of fetch."""

from __future__ import annotations

import errno
import io
import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from mlrec.artifacts import registry
from mlrec.artifacts.settings_file import read_settings
from mlrec.dataset.editions import EDITIONS
from mlrec.dataset.fetch import fetch
from mlrec.errors import MlrecError
from mlrec.settings import TrainSettings
from mlrec.workspace import Workspace
from tests.fuzz.attack import Case, Fuzz, command, told
from tests.fuzz.damage import ANY_FILE, TEXT_FILE, damaged, damaged_json

EDITION = "ml-latest-small"


def harm(case: Case, path: Path) -> None:
    """Damage a JSON file, as a document or as bytes."""
    content = path.read_bytes()
    harmed, what = (
        damaged_json(case.chance, content) if case.chance.random() < 0.6 else damaged(case.chance, content, TEXT_FILE)
    )
    case.note(f"{path.name}: {what}")
    path.write_bytes(harmed)


def test_settings_files_are_read_or_refused(fuzz: Fuzz, small):
    document = {
        "format_version": 1,
        "settings": TrainSettings(factors=8, iterations=2).to_json(),
        "study": {"name": "main"},
    }

    def attack(case: Case) -> None:
        path = case.folder / "settings.json"
        path.write_text(json.dumps(document))
        harm(case, path)
        settings = told(lambda: read_settings(path))
        if not isinstance(settings, MlrecError):
            case.note(str(settings))
            assert TrainSettings.from_json(settings.to_json()) == settings

    fuzz.run(400, attack)


def test_training_with_a_damaged_settings_file_ends_well_or_says_why_not(fuzz: Fuzz, copied):
    def attack(case: Case) -> None:
        workspace = copied(case.folder)
        path = case.folder / "settings.json"
        shutil.copyfile(registry.resolve(workspace).info, path)
        harm(case, path)
        settings = told(lambda: read_settings(path))
        if not isinstance(settings, MlrecError) and (settings.factors > 100 or settings.resolved(1).sweeps > 100):
            return  # whoever asks for that wants to wait
        command("train", "--settings", path, data=workspace.root)

    fuzz.run(15, attack)


@pytest.fixture(scope="session")
def journal(small, tmp_path_factory) -> bytes:
    """The journal of a study of some trials."""
    data = tmp_path_factory.mktemp("tuned") / "data"
    shutil.copytree(small.root, data)
    command("tune", "--trials", 3, data=data, expect={0})
    return Workspace(data).study("main").journal.read_bytes()


def test_a_damaged_journal_of_a_study_is_gone_on_with_or_refused(fuzz: Fuzz, copied, journal):
    def attack(case: Case) -> None:
        workspace = copied(case.folder)
        path = workspace.study("main").journal
        path.parent.mkdir()
        lines = journal.splitlines(keepends=True)
        if case.chance.random() < 0.5:
            number = case.chance.randrange(len(lines))
            harmed, what = damaged_json(case.chance, lines[number])
            case.note(f"line {number + 1} of {len(lines)}: {what}")
            lines[number] = harmed + b"\n"
            path.write_bytes(b"".join(lines))
        else:
            harmed, what = damaged(case.chance, journal, TEXT_FILE)
            case.note(what)
            path.write_bytes(harmed)
        done = command("tune", "--trials", 3, data=workspace.root)
        if done.code:
            assert "'--fresh'" in done.err or "--fresh" in done.err, done.err
        if case.chance.random() < 0.1:
            command("tune", "--trials", 1, "--fresh", data=workspace.root, expect={0})

    fuzz.run(25, attack)


def test_damaged_figures_are_not_shown_and_evaluating_again_writes_them_anew(fuzz: Fuzz, copied):
    def attack(case: Case) -> None:
        workspace = copied(case.folder)
        path = registry.resolve(workspace).metrics
        if not path.exists():
            command("evaluate", data=workspace.root, expect={0})
        harm(case, path)
        assert registry.resolve(workspace).root.name in command("models", "list", data=workspace.root, expect={0}).out
        command("models", "list", "--json", data=workspace.root, expect={0})
        command("models", "show", data=workspace.root)
        command("doctor", data=workspace.root)
        command("evaluate", data=workspace.root, expect={0})
        command("models", "list", "--json", data=workspace.root, expect={0})

    fuzz.run(12, attack)


# -- fetch -------------------------------------------------------------------------------------------------------------

# An edition of which nothing is known beforehand, so that a small archive can be one.
SMALL_EDITION = replace(EDITIONS[EDITION], bytes=None, sha256=None)


def archive(small: Workspace) -> tuple[dict[str, bytes], bytes]:
    """The files of an edition, and its zip."""
    files = {name: (small.raw / name).read_bytes() for name in ("ratings.csv", "movies.csv", "links.csv")}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(zipfile.ZipInfo(f"{EDITION}/{name}"), content)
    return files, buffer.getvalue()


def fetched(workspace: Workspace, place: Path, *, force: bool = False) -> bool:
    """Fetch the edition; whether that went well, and an error told if not."""
    try:
        editions = {EDITION: SMALL_EDITION}
        outcome = told(lambda: fetch(workspace, EDITION, source=str(place), force=force, editions=editions))
    except OSError as error:
        if error.errno != errno.ENOSPC:  # for what an archive claims to hold; the command line tells it
            raise
        return False
    return not isinstance(outcome, MlrecError)


def raw_files(workspace: Workspace) -> dict[str, bytes]:
    names = workspace.raw.iterdir() if workspace.raw.is_dir() else ()
    return {path.name: path.read_bytes() for path in names if path.name != "SOURCE.json"}


def test_a_damaged_archive_is_fetched_whole_or_not_at_all(fuzz: Fuzz, small):
    files, content = archive(small)

    def attack(case: Case) -> None:
        workspace = Workspace(case.folder / "data")
        harmed, what = damaged(case.chance, content, ANY_FILE)
        case.note(what)
        (case.folder / f"{EDITION}.zip").write_bytes(harmed)
        is_there = fetched(workspace, case.folder)
        found = raw_files(workspace)
        if is_there:
            assert found in (files, {name: files[name] for name in ("ratings.csv", "movies.csv")})
        else:
            assert found == {}

    fuzz.run(150, attack)


def test_whatever_is_in_place_of_what_was_fetched_is_not_called_in_place(fuzz: Fuzz, small):
    """Files that have changed, or a record of them that has: fetch leaves them alone, or puts the right ones there."""
    files, content = archive(small)

    def attack(case: Case) -> None:
        workspace = Workspace(case.folder / "data")
        (case.folder / f"{EDITION}.zip").write_bytes(content)
        assert fetched(workspace, case.folder)
        path = case.chance.choice((workspace.raw / "SOURCE.json", workspace.raw / "ratings.csv"))
        if path.suffix == ".json":
            harm(case, path)
        else:
            harmed, what = damaged(case.chance, path.read_bytes(), TEXT_FILE)
            case.note(f"{path.name}: {what}")
            path.write_bytes(harmed)
        changed = raw_files(workspace)
        is_there = fetched(workspace, case.folder)
        assert raw_files(workspace) == (files if is_there else changed)
        assert "Next: " in command("doctor", data=workspace.root).out
        assert fetched(workspace, case.folder, force=True)
        assert raw_files(workspace) == files

    fuzz.run(40, attack)
