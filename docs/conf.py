"""Configure the site: Markdown pages and docstrings become HTML that loads nothing from outside."""

import re
import textwrap
from typing import Any

import tailrace

project = "tailrace"
copyright = "the tailrace maintainers, Apache License 2.0"
version = release = tailrace.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 4
# An unresolved reference is a warning, and `make docs` turns warnings into errors.
nitpicky = True
# Types in signatures are text for readers, not links.
nitpick_ignore_regex = [("py:.*", ".*")]

# `tailrace.spark` is documented without Spark.
autodoc_mock_imports = ["pyspark", "pyarrow"]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True}
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = f"tailrace {release}"
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"footer_icons": [], "source_repository": ""}

# Inline code of Markdown, which docstrings use, outside of doctests.
_CODE = re.compile(r"(?<!`)`([^`\n]+(?:\n[^`\n]+)?)`(?!`)(\w?)")

_FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _as_rest(_app: Any, _what: str, _name: str, _of: Any, _options: Any, lines: list[str]) -> None:
    """Rewrite Markdown's code as that of reStructuredText, which autodoc expects."""

    def rest(match: re.Match[str]) -> str:
        # In reStructuredText no letter may follow inline code directly.
        return f"``{match[1]}``" + (rf"\ {match[2]}" if match[2] else "")

    def block(match: re.Match[str]) -> str:
        return f".. code-block:: {match[1]}\n\n" + textwrap.indent(match[2], "    ")

    paragraphs = _FENCED.sub(block, "\n".join(lines)).split("\n\n")
    lines[:] = "\n\n".join(
        paragraph if paragraph.lstrip().startswith(">>>") else _CODE.sub(rest, paragraph)
        for paragraph in paragraphs
    ).split("\n")


# The docstrings of attributes, which napoleon would read as `type: description`.
_attributes: dict[str, list[str]] = {}


def _keep(_app: Any, what: str, name: str, _of: Any, _options: Any, lines: list[str]) -> None:
    if what in {"attribute", "property"}:
        _attributes[name] = lines[:]


def _restore(_app: Any, _what: str, name: str, _of: Any, _options: Any, lines: list[str]) -> None:
    lines[:] = _attributes.pop(name, lines)


# Every other class is made by a function, so its parameters say nothing to a reader.
_CONSTRUCTED = {"tailrace.Format", "tailrace.Window"}


def _signature(
    _app: Any, what: str, name: str, _of: Any, _options: Any, _signature: Any, _returns: Any
) -> tuple[str, None] | None:
    return ("", None) if what == "class" and name not in _CONSTRUCTED else None


def setup(app: Any) -> None:
    """Register the hooks; docstrings are rewritten before Google-style sections are read."""
    app.connect("autodoc-process-signature", _signature)
    for priority, hook in ((400, _as_rest), (450, _keep), (600, _restore)):
        app.connect("autodoc-process-docstring", hook, priority=priority)
