"""The documentation site: every page is in its navigation, and links lead where they led in the repository."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
NAVIGATION = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2].partition("\ntheme:\n")[0]


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("site_hooks", ROOT / "docs" / "site_hooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_navigation_names_every_page_once(hooks):
    named = re.findall(r"\S+\.md$", NAVIGATION, re.MULTILINE)
    written = [path.relative_to(ROOT / "docs").as_posix() for path in ROOT.glob("docs/**/*.md")]
    assert sorted(named) == sorted([*written, *hooks.ROOT_PAGES.values()])


def test_the_list_of_decisions_names_every_decision():
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"\((\d{4}-.+?\.md)\)", (folder / "README.md").read_text(encoding="utf-8"))
    assert listed == sorted(path.name for path in folder.glob("0*.md"))


@pytest.mark.parametrize(
    ("source", "target", "there"),
    [
        ("README.md", "docs/serving.md", "serving.md"),
        ("README.md", "docs/decisions/", "decisions/README.md"),
        ("README.md", "CHANGELOG.md", "changelog.md"),
        ("README.md", "docs/pictures/swipe.svg", "pictures/swipe.svg"),
        ("docs/architecture.md", "generate_cli.py", "https://host/blob/main/docs/generate_cli.py"),
        ("README.md", "benchmarks/", "https://host/blob/main/benchmarks/README.md"),
        ("docs/serving.md", "../examples/fastapi_app.py", "https://host/blob/main/examples/fastapi_app.py"),
        ("docs/serving.md", "evaluation.md", "evaluation.md"),
        ("docs/decisions/0001-dislikes-and-fold-in.md", "../../README.md", "../index.md"),
        ("docs/decisions/0001-dislikes-and-fold-in.md", "../tuning.md", "../tuning.md"),
    ],
)
def test_a_link_leads_to_the_page_or_to_the_repository(hooks, source, target, there):
    text = f"see [this]({target}) and `[that]({target})`"
    assert hooks.with_links_of_the_site(text, source, "https://host/blob/main") == (
        f"see [this]({there}) and `[that]({target})`"
    )


def test_addresses_and_anchors_stay_as_they_are(hooks):
    text = "[a](https://example.org/docs/x.md) [b](#lists) [c](docs/serving.md#lists)"
    assert hooks.with_links_of_the_site(text, "README.md", "https://host") == (
        "[a](https://example.org/docs/x.md) [b](#lists) [c](serving.md#lists)"
    )
