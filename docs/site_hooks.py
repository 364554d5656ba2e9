"""Hooks of mkdocs: pages that stand in the root folder, and links that lead out of docs/.

The Markdown files are written for readers of the repository. On the site, a link to a file that has a page leads to
that page, and a link to any other file leads to the repository.
"""

from __future__ import annotations

import logging
import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
ROOT_PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
"""Files of the root folder, and where their pages stand in docs/."""

_LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:|#)([^)#\s]+)")
_CODE = re.compile(r"(^```.*?^```|`[^`\n]+`)", re.MULTILINE | re.DOTALL)
_log = logging.getLogger("mkdocs.hooks.site")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages of the root folder."""
    from mkdocs.structure.files import File

    for name, page in ROOT_PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Turn the links of a page into those of the site."""
    source = {there: here for here, there in ROOT_PAGES.items()}.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    return with_links_of_the_site(markdown, source, f"{config.repo_url}/blob/main")


def with_links_of_the_site(markdown: str, source: str, repository: str) -> str:
    """The text of a file of the repository, with links as its page on the site needs them."""
    parts = _CODE.split(markdown)  # every second part is code, where brackets mean something else
    parts[::2] = [_LINK.sub(lambda link: link_of_the_site(link[1], source, repository), part) for part in parts[::2]]
    return "".join(parts)


def link_of_the_site(target: str, source: str, repository: str) -> str:
    """Where a link leads that stands in a file of the repository.

    Parameters
    ----------
    target
        The link, relative to the file.
    source
        The file, relative to the root folder.
    repository
        Address of the root folder in the repository's web view.
    """
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    if not ROOT.joinpath(path).exists():
        _log.warning("%s links to %s, which does not exist.", source, target)
        return target
    if ROOT.joinpath(path, "README.md").exists() and path != ".":
        path += "/README.md"
    if path in ROOT_PAGES:
        page = ROOT_PAGES[path]
    elif path.startswith("docs/") and not path.endswith(".py"):
        page = path.removeprefix("docs/")
    else:
        return f"{repository}/{path}"
    here = ROOT_PAGES.get(source, source.removeprefix("docs/"))
    return posixpath.relpath(page, posixpath.dirname(here) or ".")
