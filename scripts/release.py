"""Build the distributions and try them out as a user would: `make release`. Nothing is uploaded.

The built wheel is installed into two empty environments. One has the `demo` extra and runs the main job. The other has
numpy alone and serves the model that the first one trained. Dependencies come in their newest versions, without
constraints.txt, because that is what a user gets.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
NOT_IN_THE_SDIST = {".editorconfig", ".pre-commit-config.yaml", "data/.gitkeep"}
PLACEHOLDER = "github.com/OWNER/"

SERVE = """
import json, sys
from mlrec import Recommender

with Recommender.open(sys.argv[1]) as rec:
    cards = rec.get_top_n(42, n=10)
    rec.update_user(42, cards[0].movie_id, "like", idempotency_key="release-1")
    assert cards[0].movie_id not in [card.movie_id for card in rec.get_top_n(42, n=10)]
    assert [event.movie_id for event in rec.history(42)] == [cards[0].movie_id]
    rec.undo(42)
    assert rec.get_top_n(42, n=10) == cards
print(json.dumps([card.movie_id for card in cards]))
"""


def run(*words: str | Path, cwd: Path = ROOT, expect: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a command, showing stderr as it comes, without the settings of whoever runs this."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "MLREC_"))}
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode != expect:
        print(done.stdout, file=sys.stderr)
        raise SystemExit(f"{' '.join(map(str, words))} ended with exit code {done.returncode}, not {expect}.")
    return done


def say(text: str) -> None:
    """Name the step that begins."""
    print(f"-- {text}", file=sys.stderr, flush=True)


def build() -> tuple[Path, Path]:
    """Build the source distribution, and from it the wheel."""
    say("Building")
    for old in DIST.glob("mlrec-*"):
        old.unlink()
    run(sys.executable, "-m", "build", "--outdir", DIST)
    (sdist,), (wheel,) = DIST.glob("mlrec-*.tar.gz"), DIST.glob("mlrec-*.whl")
    run(sys.executable, "-m", "twine", "check", "--strict", sdist, wheel)
    return sdist, wheel


def check_changelog(version: str) -> None:
    """The changelog must have a dated section for the version."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    if not re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE):
        raise SystemExit(f"CHANGELOG.md has no section '## [{version}] - YYYY-MM-DD'.")


def check_contents(sdist: Path, wheel: Path) -> None:
    """Both must hold what is committed, and nothing else."""
    say("Comparing the contents with the repository")
    committed = set(run("git", "ls-files", "-z").stdout.split("\0")) - {""}
    with tarfile.open(sdist) as archive:
        packed = {member.name.partition("/")[2] for member in archive if member.isfile()}
    compare(sdist, packed - {"PKG-INFO"}, committed - NOT_IN_THE_SDIST)
    with zipfile.ZipFile(wheel) as archive_of_wheel:
        installed = {name for name in archive_of_wheel.namelist() if not name.partition("/")[0].endswith(".dist-info")}
    compare(wheel, installed, {name.removeprefix("src/") for name in committed if name.startswith("src/")})


def compare(distribution: Path, packed: set[str], committed: set[str]) -> None:
    """Stop at any difference."""
    if packed != committed:
        lines = [f"  missing: {name}" for name in sorted(committed - packed)]
        lines += [f"  not committed: {name}" for name in sorted(packed - committed)]
        raise SystemExit("\n".join([f"{distribution.name} does not hold what the repository holds:", *lines]))


def environment(folder: Path) -> Path:
    """Make an empty environment; returns the folder of its commands."""
    run(sys.executable, "-m", "venv", folder)
    return folder / "bin"


def install(commands: Path, *what: str | Path) -> None:
    """Install with pip."""
    run(commands / "python", "-m", "pip", "--disable-pip-version-check", "--quiet", "install", *what)


def try_the_main_job(wheel: Path, version: str, folder: Path) -> list[int]:
    """Run the demo from the wheel; returns the movies that user 42 is recommended."""
    say("Running the demo from the wheel, in an empty environment")
    commands = environment(folder / "demo")
    install(commands, f"{wheel}[demo]")
    assert run(commands / "mlrec", "--version").stdout == f"mlrec {version}\n"
    print(run(commands / "mlrec", "run", "demo", cwd=folder).stdout)
    cards = json.loads(run(commands / "mlrec", "recommend", "--user", "42", "--json", cwd=folder).stdout)
    return [card["movie_id"] for card in cards["items"]]


def try_serving(wheel: Path, folder: Path, expected: list[int]) -> None:
    """Serve the demo's model by the recipe of docs/serving.md, where nothing but numpy is installed."""
    say("Serving with numpy alone, in another empty environment")
    commands = environment(folder / "serving")
    install(commands, "numpy")
    install(commands, "--no-deps", wheel)
    listed = json.loads(run(commands / "python", "-m", "pip", "list", "--format", "json").stdout)
    others = {package["name"] for package in listed} - {"mlrec", "numpy", "pip", "setuptools"}
    assert not others, others
    served = json.loads(run(commands / "python", "-c", SERVE, folder / "data", cwd=folder).stdout)
    assert served == expected, (served, expected)
    say("There the command must end with exit code 4:")
    run(commands / "mlrec", "--version", cwd=folder, expect=4)


def main() -> None:
    """Build and try everything."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    check_changelog(version)
    sdist, wheel = build()
    check_contents(sdist, wheel)
    with tempfile.TemporaryDirectory(prefix="mlrec-release-") as scratch:
        folder = Path(scratch)
        expected = try_the_main_job(wheel, version, folder)
        try_serving(wheel, folder, expected)
    print(f"\nReady, and not uploaded:\n  {sdist.relative_to(ROOT)}\n  {wheel.relative_to(ROOT)}")
    print("How to publish them: CONTRIBUTING.md, 'Make a release'.")
    if PLACEHOLDER in (ROOT / "pyproject.toml").read_text(encoding="utf-8"):
        print(f"Before you publish: replace the placeholder {PLACEHOLDER} (pyproject.toml says where it stands).")


if __name__ == "__main__":
    main()
