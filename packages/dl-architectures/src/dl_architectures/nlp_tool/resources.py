"""What all sessions share: one tool, one feedback database. Made on first use, and once."""

from collections.abc import Callable

import streamlit as st

from dl_architectures.nlp.api import Tool
from dl_architectures.nlp_tool.feedback import Feedback

_made_by: tuple[Callable[[], Tool], Callable[[], Feedback]] | None = None


def configure(make_tool: Callable[[], Tool], make_feedback: Callable[[], Feedback]) -> None:
    """Say how to make what is shared; what was made before is forgotten."""
    global _made_by
    _made_by = make_tool, make_feedback
    tool.clear()
    feedback.clear()


@st.cache_resource(show_spinner="Starting…")
def tool() -> Tool:
    """The tool; its models are shared between sessions."""
    assert _made_by is not None, "the page is opened by dl-nlp-tool"
    return _made_by[0]()


@st.cache_resource(show_spinner=False)
def feedback() -> Feedback:
    """The feedback database.

    Raises:
        InputError: if it cannot be used.
    """
    assert _made_by is not None, "the page is opened by dl-nlp-tool"
    return _made_by[1]()
