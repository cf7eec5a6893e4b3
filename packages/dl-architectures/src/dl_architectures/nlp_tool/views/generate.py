"""Text generation: the continuation of a text, word by word."""

import streamlit as st

from dl_architectures.nlp import names
from dl_architectures.nlp.answers import TextAnswer
from dl_architectures.nlp.requests import Generate
from dl_architectures.nlp_tool import asking, drawing, examples, parts


def draw(asked: asking.Asked) -> None:
    """The text with its beginning paler; once it is there, buttons to go on and to keep it."""
    assert isinstance(asked.request, Generate)
    answer = asked.answer
    written = answer.text if isinstance(answer, TextAnswer) else asked.text
    whole = asked.request.text + written
    st.html(drawing.plain(written, given=asked.request.text))
    if asked.record is None or not written:
        return
    if isinstance(answer, TextAnswer):
        st.caption(f"{answer.tokens} tokens, seed {answer.seed}")
    with st.container(horizontal=True):
        more = {"text generate": whole[: names.MAX_TEXT]}
        st.button("Take as the new beginning", icon=":material/redo:", on_click=parts.fill, args=(more,))
        st.download_button("Save", whole, "text.txt", icon=":material/download:", on_click="ignore")


parts.heading("Text generation", "The model continues what you begin.")
model = parts.choose_model("generate")
parts.examples([{"text generate": text} for text in examples.GENERATE])
text = parts.text_field("Beginning", "text generate", names.MAX_TEXT, placeholder="Begin a text…")
sampling = parts.sampling("generate")
if st.button("Continue", type="primary", icon=":material/play_arrow:"):
    asking.ask("generate", lambda: Generate(text=text, sampling=sampling), model)
asking.show("generate", draw, "Type the beginning of a text, or take one of the examples.")
