"""Takes a picture of the evaluation report as a browser shows it, docs/pictures/report.png: make pictures.

Needs Chromium on the PATH. The model is trained in a temporary folder, so the data directory does not change.
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
WIDTH, HEIGHT = 1100, 1180
_LONGEST_WAIT = 300


def browser() -> str:
    """Return the path of Chromium or Chrome."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    raise SystemExit("Chromium is not installed. On Debian: apt-get install chromium")


def take(data_dir: Path) -> None:
    """Write a report on a copy of a prepared data directory, and take the picture of its first screen."""
    with tempfile.TemporaryDirectory() as scratch:
        copy, page = Path(scratch) / "data", Path(scratch) / "report.html"
        shutil.copytree(data_dir / "prepared", copy / "prepared")
        for words in (["train"], ["evaluate", "--split", "test", "--report", str(page)]):
            subprocess.run(
                [str(MLREC), "--data-dir", str(copy), *words], check=True, capture_output=True, timeout=_LONGEST_WAIT
            )
        subprocess.run(
            [browser(), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             f"--window-size={WIDTH},{HEIGHT}", f"--screenshot={TARGET}", page.as_uri()],
            check=True, capture_output=True, timeout=_LONGEST_WAIT,
        )  # fmt: skip


def main() -> None:
    """Take the picture for a data directory with prepared data."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    take(parser.parse_args().data_dir)
    print(f"Wrote {TARGET}")


if __name__ == "__main__":
    main()
