"""The site: pages in Markdown that include the READMEs and excerpts of the code, and the API of dl-shared.

`nox -s docs` builds it, offline and strictly: an excerpt, file or link that is not there is an error. Links of the
READMEs to each other lead to their pages here, links to code lead to that code, as a page of its own.
"""

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from pygments.lexers import get_lexer_for_filename
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.highlighting import PygmentsBridge

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent

project = "Fifteen deep-learning projects"
html_title = project
html_theme = "furo"
html_theme_options = {"top_of_page_buttons": []}
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = html_show_sourcelink = False
html_show_copyright = False
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.apidoc"]
highlight_language = "sh"  # blocks of the READMEs that name none are commands

myst_heading_anchors = 4
myst_url_schemes = ["http", "https"]

apidoc_modules = [
    {
        "path": ROOT / "shared" / "src" / "dl_shared",
        "destination": "api",
        "separate_modules": True,
        "module_first": True,
        "automodule_options": {"members", "undoc-members"},
    }
]
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_use_ivar = True
suppress_warnings = ["ref.python"]  # a word taken for a type may be the name of several things

BARE = re.compile(r"(?<!\*)\*(?!\*)|\|")
"""Signs that reStructuredText would make something of."""
QUOTED = re.compile(r"(:\w+:)?(?<!`)`([^`]+)`(?!`)")
INCLUDE = re.compile(r"^```\{include\} (\S+)", re.MULTILINE)
PAGES = {
    (page.parent / found[1]).resolve(): page.relative_to(DOCS).with_suffix("").as_posix()
    for page in sorted(DOCS.rglob("*.md"))
    if (found := INCLUDE.search(page.read_text())) and page.parent.name != "projects"
}
"""The page that each README has here."""

shown: set[Path] = set()
"""Files that some page links to."""


def setup(app: Sphinx) -> None:
    app.connect("autodoc-process-docstring", from_markdown, priority=100)  # before napoleon
    app.connect("doctree-read", link_files, priority=100)  # before Sphinx copies the files, to be downloaded
    app.connect("html-collect-pages", pages_of_files)


def from_markdown(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Docstrings quote code as Markdown does: between single backticks, or indented below a sentence."""
    written: list[str] = []
    code = 0  # the indentation of the block that we are in
    for line in lines:
        indent = len(line) - len(line.lstrip())
        sentence = next((text for text in reversed(written) if text), "")
        below = len(sentence) - len(sentence.lstrip()) + 4
        if line and code and indent < code:
            code = 0
        if line and not code and written and not written[-1] and indent >= below:
            written += [" " * (below - 4) + ".. code-block:: text", ""]
            code = indent
        written.append(line if code else BARE.sub(r"\\\g<0>", line))
    lines[:] = QUOTED.sub(reference, "\n".join(written)).split("\n")


def reference(quoted: re.Match[str]) -> str:
    """A name of dl-shared links to what it names; anything else is as it is."""
    if quoted[1]:  # a role, which says itself what it links to
        return quoted[0]
    code = re.sub(r"\\([*|])", r"\1", quoted[2])
    after = "\\ " if quoted.string[quoted.end() :][:1].isalnum() else ""  # as in "`Verb`s"
    return f":py:obj:`{code}`{after}" if re.fullmatch(r"dl_shared[\w.]+", code) else f"``{code}``{after}"


def link_files(app: Sphinx, doctree: nodes.document) -> None:
    """Let links to files of the repository lead to their pages."""
    here = app.env.docname
    links = [link for kind in (addnodes.download_reference, addnodes.pending_xref) for link in doctree.findall(kind)]
    for link in links:
        if link.get("reftype") != "myst" or not (path := linked_file(app, link)):
            continue
        page = PAGES.get(path)
        if page is None:
            shown.add(path)
            page = page_of_file(path)
        target = app.builder.get_relative_uri(here, page)
        link.replace_self(nodes.reference("", "", *link.children, internal=True, refuri=target))


def linked_file(app: Sphinx, link: nodes.Element) -> Path | None:
    """The file outside of this folder that a link leads to, from the page or from what it includes.

    Of a package, its docstring.
    """
    page = Path(app.env.doc2path(app.env.docname))
    included = [(page.parent / name).resolve() for name in INCLUDE.findall(page.read_text())]
    for folder in (DOCS if link.get("refdomain") == "doc" else page.parent, *(file.parent for file in included)):
        path = (folder / link["reftarget"].partition("#")[0]).resolve()
        for found in (path, path.with_name(f"{path.name}.md"), path / "__init__.py"):
            if found.is_file() and DOCS not in found.parents:
                return found
    return None


def page_of_file(path: Path) -> str:
    return f"source/{path.relative_to(ROOT).as_posix()}"


def pages_of_files(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Each file that is linked to, highlighted."""
    highlighter = PygmentsBridge("html", app.config.pygments_style or "default")
    for path in sorted(shown):
        name = path.relative_to(ROOT).as_posix()
        language = get_lexer_for_filename(path.name).aliases[0]
        code = highlighter.highlight_block(path.read_text(), language)
        body = f"<h1>{html.escape(path.name)}</h1><p>{html.escape(name)}</p>{code}"
        yield page_of_file(path), {"title": path.name, "body": body, "parents": []}, "page.html"
