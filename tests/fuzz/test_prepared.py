"""The prepared folder with a damaged file: every reader says what is wrong, and preparing again repairs it."""

from __future__ import annotations

from mlrec.artifacts import registry
from mlrec.workspace import Workspace
from tests.fuzz.attack import Case, Fuzz, command
from tests.fuzz.damage import TEXT_FILE, damaged, damaged_json

WAYS: tuple[tuple[object, ...], ...] = (
    ("train", "--iterations", 1, "--factors", 4),
    ("train", "--iterations", 1, "--factors", 4),
    ("train", "--iterations", 1, "--factors", 4, "--on", "all"),
    ("train", "--iterations", 1, "--factors", 4, "--publish-if-better"),
    ("evaluate",),
    ("evaluate", "--json", "--split", "test"),
    ("evaluate", "--protocol", "global-time"),
    ("evaluate", "--protocol", "held-out-users", "-k", 3),
    ("evaluate", "--replay", "--sample", 5),
    ("tune", "--trials", 1),
)


def harm_a_file(case: Case, workspace: Workspace) -> None:
    """Damage one file of the prepared folder, and perhaps leave the folder as a killed writer leaves it."""
    path = case.chance.choice(sorted(workspace.prepared.root.iterdir()))
    content = path.read_bytes()
    if path.suffix == ".json" and case.chance.random() < 0.6:
        harmed, what = damaged_json(case.chance, content)
    else:
        harmed, what = damaged(case.chance, content, TEXT_FILE)
    case.note(f"{path.name}: {what}")
    path.write_bytes(harmed)
    match case.chance.randrange(20):
        case 0:
            case.note("and it is gone")
            path.unlink()
        case 1:
            case.note("and it is a folder")
            path.unlink()
            path.mkdir()
        case 2:
            case.note("and the folder is still called prepared.new")
            workspace.prepared.root.rename(workspace.prepared_new.root)
        case 3:
            case.note("and the folder is called prepared.old")
            workspace.prepared.root.rename(workspace.prepared_old.root)


def test_a_damaged_prepared_folder_is_told_by_whoever_reads_it(fuzz: Fuzz, copied):
    def attack(case: Case) -> None:
        workspace = copied(case.folder)
        published = registry.published_id(workspace)
        harm_a_file(case, workspace)
        way = case.chance.choice(WAYS)
        case.note(f"mlrec {' '.join(map(str, way))}")
        done = command(*way, data=workspace.root)
        case.note(f"exit code {done.code}: {done.err[:300]}")
        if done.code and "--publish-if-better" not in way:
            assert registry.published_id(workspace) == published
        command("recommend", "--user", 1, "--json", data=workspace.root, expect={0})
        command("models", "list", "--json", data=workspace.root, expect={0})
        command("models", "list", data=workspace.root, expect={0})

    fuzz.run(45, attack)


def test_doctor_survives_a_damaged_prepared_folder_and_preparing_again_puts_it_right(fuzz: Fuzz, copied):
    def attack(case: Case) -> None:
        workspace = copied(case.folder)
        harm_a_file(case, workspace)
        assert "Next: " in command("doctor", data=workspace.root).out
        command("prepare", "--min-user-ratings", 2, "--min-movie-ratings", 2, data=workspace.root, expect={0})
        assert "Next: " in command("doctor", data=workspace.root, expect={0}).out
        assert sorted(path.name for path in workspace.root.iterdir() if "prepared" in path.name) == ["prepared"]

    fuzz.run(12, attack)
