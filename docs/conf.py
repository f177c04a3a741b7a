"""How Sphinx makes the site; ``make site`` lays the texts out first (docs/site/)."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import covid_datasets  # noqa: E402  # found through the line above

project = "covid_datasets"
author = "the authors of covid_datasets"
release = covid_datasets.__version__
html_title = f"covid_datasets {release}"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "docs.site.plain"]
exclude_patterns = ["**/.ipynb_checkpoints"]

# Texts are what GitHub's readers see: no directive, no role, no front matter. HTML in them is shown as text by `plain`.
myst_gfm_only = True
myst_heading_anchors = 4
nb_execution_mode = "off"  # notebooks come with their outputs
nb_merge_streams = True
nb_ipywidgets_js: dict[str, str] = {}  # no page loads anything from elsewhere

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_google_docstring = True
default_role = "code"
python_use_unqualified_type_names = True

html_theme = "furo"
html_static_path = [str(ROOT / "docs" / "site" / "static")]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
