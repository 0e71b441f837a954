"""Configure Sphinx."""

import re
from html import escape
from importlib.metadata import version as version_of
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

project = "iotjobs-client"
author = "the iotjobs-client maintainers"
copyright = "the iotjobs-client maintainers"
release = version = version_of("iotjobs-client")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/favicon.svg"
html_use_index = False
html_theme_options = {"top_of_page_buttons": []}
html_domain_indices = False
pygments_dark_style = "github-dark"
copybutton_prompt_text = r">>> |\.\.\.(?: |$)|\$ "
copybutton_prompt_is_regexp = True
html_title = f"{project} {release}"

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
napoleon_numpy_docstring = False

# Their documentation would have to be downloaded during the build.
nitpick_ignore_regex = [
    ("py:class", r"(collections|contextlib|datetime|boto3|botocore)\..*"),
    ("py:class", "BaseClient|Config|Session|datetime"),  # imported for type checkers only
]


LONGEST_SHORT_CODE = 20


def add_description(
    _app: Sphinx,
    _page: str,
    _template: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Make the first sentence of a page its description for search engines."""
    paragraphs = doctree.findall(nodes.paragraph) if doctree else ()
    first = next((p for p in paragraphs if isinstance(p.parent, nodes.section)), None)
    if first:
        text = escape(re.split(r"(?<=\.) ", " ".join(first.astext().split()))[0])
        context["metatags"] += f'<meta name="description" content="{text}">'


def mark_short_code(_app: Sphinx, doctree: nodes.document, _page: str) -> None:
    """Mark short code, such as ``--format``, because browsers break it at its hyphens."""
    for literal in doctree.findall(nodes.literal):
        if len(literal.astext()) <= LONGEST_SHORT_CODE:
            literal["classes"].append("short")


def setup(app: Sphinx) -> None:
    """Connect the handlers above."""
    app.connect("html-page-context", add_description)
    app.connect("doctree-resolved", mark_short_code)
