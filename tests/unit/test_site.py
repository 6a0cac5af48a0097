"""The site, built as `make docs` builds it."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from places import ROOT

# What a browser fetches without being asked; `a` is a link that a reader follows.
LOADED = {
    "link": "href",
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "object": "data",
}


class Page(HTMLParser):
    """The links, the anchors and the loaded files of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.anchors.update(value for name in ("id", "name") if (value := values.get(name)))
        if tag == "a" and (target := values.get("href")):
            self.links.append(target)
        if tag in LOADED and (target := values.get(LOADED[tag])):
            self.loaded.append(target)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    strict = ["--fail-on-warning", "--nitpicky", "--keep-going", "--quiet"]
    ran = subprocess.run(
        [sys.executable, "-m", "sphinx", *strict, str(ROOT / "docs"), str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path.read_text()) for path in site.rglob("*.html")}


def test_every_page_is_there(site: Path, pages: dict[Path, Page]):
    sources = {
        path.relative_to(ROOT / "docs").with_suffix(".html")
        for path in (ROOT / "docs").rglob("*.md")
    }

    assert sources <= {path.relative_to(site) for path in pages}


def test_every_link_and_anchor_resolves(site: Path, pages: dict[Path, Page]):
    broken = []
    for path, page in pages.items():
        for target in page.links:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            file = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            known = pages.get(file)
            if not file.exists() or (
                known and parts.fragment and unquote(parts.fragment) not in known.anchors
            ):
                broken.append((str(path.relative_to(site)), target))
    assert broken == []


def test_no_page_loads_anything_from_another_host(site: Path, pages: dict[Path, Page]):
    for path, page in pages.items():
        for target in page.loaded:
            parts = urlsplit(target)
            assert not parts.netloc, f"{path}: {target}"
            assert not parts.scheme or parts.scheme == "data", f"{path}: {target}"
    for path in site.rglob("*.css"):
        outside = re.findall(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//[^)'\"]+", path.read_text())
        assert outside == [], f"{path}: {outside}"
