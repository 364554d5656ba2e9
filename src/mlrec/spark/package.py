"""The code of mlrec as one file, for executors whose Python does not have it or has another version."""

from __future__ import annotations

import zipfile
from pathlib import Path


def write_package(path: Path) -> Path:
    """Write a zip that Python can import from."""
    source = Path(__file__).parents[1]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for module in sorted(source.rglob("*.py")):
            archive.write(module, Path("mlrec") / module.relative_to(source))
    return path
