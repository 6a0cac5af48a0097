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


def built(folder: Path) -> dict[Path, Page]:
    """Build the site and return its pages."""
    strict = ["--fail-on-warning", "--nitpicky", "--keep-going", "--quiet"]
    ran = subprocess.run(
        [sys.executable, "-m", "sphinx", *strict, str(ROOT / "docs"), str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return {path: Page(path.read_text()) for path in folder.rglob("*.html")}


def missing(site: Path, pages: dict[Path, Page]) -> set[Path]:
    """Return the pages that a Markdown file should have become."""
    sources = (ROOT / "docs").rglob("*.md")
    wanted = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in sources}
    return wanted - {path.relative_to(site) for path in pages}


def broken(site: Path, pages: dict[Path, Page]) -> list[tuple[str, str]]:
    """Return the links without a file or an anchor."""
    found = []
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
                found.append((str(path.relative_to(site)), target))
    return found


def from_outside(site: Path, pages: dict[Path, Page]) -> list[tuple[str, str]]:
    """Return what a browser would fetch from another host."""
    found = [
        (str(path.relative_to(site)), target)
        for path, page in pages.items()
        for target in page.loaded
        if urlsplit(target).netloc or urlsplit(target).scheme not in {"", "data"}
    ]
    fetched = re.compile(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//[^)'\"]+")
    for path in site.rglob("*.css"):
        found += [(path.name, target) for target in fetched.findall(path.read_text())]
    return found


# One test, because parallel workers would build the site once for each.
@pytest.mark.timeout(300)
def test_the_site_has_every_page_no_broken_link_and_loads_nothing_from_outside(tmp_path: Path):
    pages = built(tmp_path)

    assert missing(tmp_path, pages) == set()
    assert broken(tmp_path, pages) == []
    assert from_outside(tmp_path, pages) == []


def test_the_checks_of_the_site_find_what_they_should(tmp_path: Path):
    page = tmp_path / "index.html"
    page.write_text(
        '<h1 id="a"></h1><a href="#a"></a><a href="#b"></a><a href="no.html"></a>'
        '<a href="https://example.org/"></a><script src="https://example.org/x.js"></script>'
        '<link href="//example.org/x.css"><img src="data:image/png;base64,AA">'
    )
    (tmp_path / "x.css").write_text("@import 'x.css'; p { src: url(https://example.org/font) }")
    pages = {page: Page(page.read_text())}

    assert broken(tmp_path, pages) == [("index.html", "#b"), ("index.html", "no.html")]
    assert from_outside(tmp_path, pages) == [
        ("index.html", "https://example.org/x.js"),
        ("index.html", "//example.org/x.css"),
        ("x.css", "url(https://example.org/font"),
    ]
