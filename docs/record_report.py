"""Takes the picture of the evaluation report, docs/pictures/report.png, with a Chromium that is installed.

python docs/record_report.py --data-dir DIR evaluates the published model of a data directory; nothing in it changes.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TARGET = Path(__file__).parent / "pictures" / "report.png"
MLREC = Path(sys.executable).with_name("mlrec")
WIDTH, HEIGHT = 1120, 1640  # down to the end of the first table
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def installed_browser() -> str:
    """The first of the known browsers that is installed; the program ends if there is none."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit(f"None of these is installed: {', '.join(BROWSERS)}.")
    return browser


def record(data_dir: Path, target: Path) -> None:
    """Write the top of the report, in light colours."""
    with tempfile.TemporaryDirectory() as scratch:
        copy, page = Path(scratch) / "data", Path(scratch) / "report.html"
        shutil.copytree(data_dir, copy, ignore=shutil.ignore_patterns("users.db*", "raw"))
        command: list[str | Path] = [MLREC, "--data-dir", copy, "evaluate", "--split", "test", "--report", page]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        options = [
            "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
            f"--user-data-dir={scratch}/profile", "--blink-settings=preferredColorScheme=1",
            f"--window-size={WIDTH},{HEIGHT}", f"--screenshot={target}",
        ]  # fmt: skip
        subprocess.run(
            [installed_browser(), *options, page.as_uri()], check=True, stderr=subprocess.DEVNULL, timeout=120
        )


def main() -> None:
    """Take the picture of the report on a data directory with a published model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    arguments = parser.parse_args()
    TARGET.parent.mkdir(exist_ok=True)
    record(arguments.data_dir, TARGET.resolve())
    print(f"Wrote {TARGET}")


if __name__ == "__main__":
    main()
