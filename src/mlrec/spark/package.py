"""The code of mlrec as one file, for the Python of executors that does not have it, or has another version."""

from __future__ import annotations

import zipfile
from pathlib import Path

import mlrec


def write_package(path: Path) -> Path:
    """Write a zip that Python imports from."""
    source = Path(mlrec.__file__).parent
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for module in sorted(source.rglob("*.py")):
            archive.write(module, Path("mlrec") / module.relative_to(source))
    return path
