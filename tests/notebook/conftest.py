"""What tests of the notebook room share: the style of the book, and figures of one test only."""

import matplotlib
import matplotlib.pyplot as plt
import pytest

from stable_softmax.notebook import display


@pytest.fixture(autouse=True)
def figures_of_this_test(monkeypatch):
    """Draw in the style of the book, without a window, and close what a test has drawn."""
    monkeypatch.setattr(display, "get_ipython", lambda: None)
    matplotlib.use("agg")
    with plt.rc_context():
        display.use_book_style()
        yield
    plt.close("all")
