"""What this book changes in other libraries, because they have no option for it.

Each change relies on code that its library may rewrite. So it says for which versions it was
tried, and with any other one the build ends with a sentence, instead of with pages that are a
little wrong.
"""

import functools
from importlib import metadata

import ahead
from jupyter_cache.executors import utils
from myst_nb.core.execute import NotebookClientBase, cache
from nbformat import v4
from repairs import repair
from sphinx.errors import ExtensionError
from sphinx.jinja2glue import BuiltinTemplateLoader

PATCHES = {}  # from each function to the versions of each library


def holds_for(versions):
    """Register a function that changes something, with the versions for which it was tried."""

    def register(patch):
        PATCHES[patch] = versions
        return patch

    return register


@holds_for({"jupyter-cache": ["1.0.1"], "nbclient": ["0.11.0"]})
def join_what_is_printed(app):
    """Join the pieces of a printed line before the page is made from them.

    A kernel may send what one `print` writes in several pieces, cut wherever its timer strikes.
    MyST-NB ends each piece with a line break of its own, so that a page could change from build to
    build. nbclient can join the pieces unchanged, but the execution cache does not pass this on.
    """
    if not isinstance(utils.executenb, functools.partial):  # one process may build twice
        utils.executenb = functools.partial(utils.executenb, coalesce_streams=True)


@holds_for({"myst-nb": ["1.4.0"], "jupyter-cache": ["1.0.1"]})
def take_what_was_executed_ahead(app):
    """Let MyST-NB take the outputs of pages that were executed in the background."""
    cache.single_nb_execution = ahead.execute_once


@holds_for({"myst-nb": ["1.4.0"]})
def keep_figures_without_outputs(app):
    """Let a cell have an empty output where a figure would be, if nothing is executed.

    Without it there were no captions, and no numbers of figures.
    """
    NotebookClientBase.code_cell_outputs = outputs_or_stand_in


def outputs_or_stand_in(client, index, outputs=NotebookClientBase.code_cell_outputs):
    """Return the outputs of a cell, or what stands for those of a figure."""
    cell = client.notebook.cells[index]
    off = client.nb_config.execution_mode == "off"
    if off and "figure" in cell.metadata.get("mystnb", {}):
        return None, [v4.new_output("display_data")]
    return outputs(client, index)


@holds_for(
    {
        "Sphinx": ["7.4.7", "9.0.4"],
        "docutils": ["0.21.2", "0.22.4"],
        "sphinx-book-theme": ["1.3.0", "1.4.0"],
        "pydata-sphinx-theme": ["0.17.1", "0.20.0"],
        "myst-nb": ["1.4.0"],
        "sphinx-exercise": ["1.2.1"],
    }
)
def repair_every_page(app):
    """Let each page pass through `repairs.repair` after its template has rendered it.

    The option ``template_bridge`` is meant for this; what the repairs look for is not.
    """
    app.connect("config-inited", use_repairing_templates)


def use_repairing_templates(app, config):
    """Set the option."""
    config.template_bridge = f"{__name__}.{RepairingTemplates.__name__}"


class RepairingTemplates(BuiltinTemplateLoader):
    """The templates of Sphinx, whose pages are repaired."""

    def render(self, template, context):
        """Return a page."""
        return repair(super().render(template, context))


def check_versions(app, config):
    """Raise an error that says what to do, if a change was made for another version."""
    if config.patches_any_version:
        return
    for patch, versions in PATCHES.items():
        for library, tried in versions.items():
            if (installed := metadata.version(library)) not in tried:
                raise ExtensionError(
                    f"{library} {installed} is installed, and {patch.__name__} in "
                    f"book/_ext/patches.py was tried with {' and '.join(tried)} only: see whether "
                    "it still does its work, and add the version"
                )


def setup(app):
    """Register the extension with Sphinx."""
    app.add_config_value("patches_any_version", False, "env", bool)  # for the way out of old ones
    app.connect("config-inited", check_versions, priority=0)
    for patch in PATCHES:
        patch(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
