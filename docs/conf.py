"""How Sphinx builds the documentation."""

from importlib.metadata import version as version_of

project = "iotjobs-client"
author = "the iotjobs-client maintainers"
copyright = "the iotjobs-client maintainers"
release = version = version_of("iotjobs-client")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_use_index = False
html_domain_indices = False
pygments_dark_style = "github-dark"
copybutton_prompt_text = r">>> |\.\.\.(?: |$)|\$ "
copybutton_prompt_is_regexp = True
html_title = f"{project} {release}"

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
autodoc_typehints_description_target = "documented"
napoleon_google_docstring = True
napoleon_numpy_docstring = False

# The documentation of others, which would have to be fetched while building.
nitpick_ignore_regex = [
    ("py:class", r"(collections|contextlib|datetime|boto3|botocore)\..*"),
    ("py:class", "BaseClient|Config|Session"),  # imported for type checkers only
]
