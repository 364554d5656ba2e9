"""The pages that people read, and the Python in them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("docs/**/*.md")),
]


def blocks(page: str, language: str) -> list[str]:
    """The blocks of code in a page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def python_blocks(*, with_spark: bool) -> list[tuple[str, str]]:
    """Pages and their blocks of Python: those that need Spark, or the others. Those for MLflow are none of them."""
    found = [(page, block) for page in PAGES for block in blocks(page, "python")]
    found = [(page, block) for page, block in found if "import mlflow" not in block]
    return [(page, block) for page, block in found if ("mlrec.spark" in block) == with_spark]
