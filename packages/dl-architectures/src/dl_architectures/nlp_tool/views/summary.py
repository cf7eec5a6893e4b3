"""Summary: a text in fewer words."""

import streamlit as st

from dl_architectures.nlp import names
from dl_architectures.nlp.answers import SummaryAnswer
from dl_architectures.nlp.requests import Summarise
from dl_architectures.nlp_tool import asking, drawing, examples, parts


def draw(asked: asking.Asked) -> None:
    """The summary; where its sentences were taken from the text, the text with them marked."""
    assert isinstance(asked.request, Summarise)
    answer, text = asked.answer, asked.request.text
    if not isinstance(answer, SummaryAnswer):
        st.html(drawing.plain(asked.text))
        return
    st.html(drawing.plain(answer.text))
    read = f"{len(answer.text):,} of {len(text):,} characters"
    st.caption(read if answer.parts == 1 else f"{read}, read in {answer.parts} parts")
    if answer.spans and asked.record is not None:
        with st.expander("Where these sentences stand", icon=":material/format_ink_highlighter:"):
            st.html(drawing.marked(text, answer.spans))


parts.heading("Summary", "A text in fewer words. Long texts are read in parts.")
model = parts.choose_model("summary")
parts.examples([{"text summary": text} for text in examples.SUMMARY])
text = parts.text_field("Text", "text summary", names.MAX_CONTEXT, height=220, placeholder="Paste a text…")
length = st.segmented_control(
    "Length", names.LENGTHS, default="medium", required=True, format_func=str.capitalize, key="length"
)
if st.button("Summarise", type="primary", icon=":material/play_arrow:"):
    asking.ask("summary", lambda: Summarise(text=text, length=length or "medium"), model)
asking.show("summary", draw, "Paste a text of a few paragraphs, or take the example.")
