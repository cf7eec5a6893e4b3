"""Thumbs and a comment below an answer."""

import streamlit as st

from dl_architectures.nlp_tool import drawing, resources
from dl_architectures.nlp_tool.feedback import MAX_COMMENT, Answer, FeedbackError, Rating


def thumbs(answer: Answer, given: Rating | None, prompt: str, text: str) -> Rating | None:
    """Let the person rate an answer; a click is kept at once, a comment when it is sent.

    Args:
        answer: to be rated.
        given: the rating so far.
        prompt: what was asked, in words.
        text: what was answered, in words.

    Returns:
        The rating as it is kept now, None without one.
    """
    thumb, written = f"thumb {answer.answer_id}", f"comment {answer.answer_id}"
    if given is not None and thumb not in st.session_state:  # back from another page
        st.session_state[thumb] = int(given.rating == "up")
    with st.container(horizontal=True, vertical_alignment="center"):
        clicked = st.feedback("thumbs", key=thumb)
        if clicked is None:
            st.caption("Was this a good answer?")
            return _withdraw(answer) if given is not None else None
        comment = given.comment if given is not None else ""
        with st.popover("Comment", icon=":material/comment:"), st.form(f"form {answer.answer_id}", border=False):
            typed = st.text_area("What was good or bad about it?", comment, key=written, max_chars=MAX_COMMENT)
            if st.form_submit_button("Send"):
                comment = typed.strip()
        place = st.empty()
    wanted = Rating(rating="up" if clicked else "down", comment=comment, prompt=prompt, answer=text)
    if wanted != given:
        try:
            resources.feedback().rate(answer, wanted)
        except FeedbackError as error:
            place.error(drawing.label(str(error)))
            return given
    place.caption("Saved, with your comment. Thank you." if comment else "Saved, with question and answer. Thank you.")
    return wanted


def _withdraw(answer: Answer) -> Rating | None:
    try:
        resources.feedback().withdraw(answer)
    except FeedbackError as error:
        st.error(drawing.label(str(error)))
    return None
