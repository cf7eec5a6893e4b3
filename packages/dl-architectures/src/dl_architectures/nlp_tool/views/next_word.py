"""Next word: bars of the likeliest continuations; a click on one appends it and asks again."""

import streamlit as st

from dl_architectures.nlp import names
from dl_architectures.nlp.answers import NextWordAnswer
from dl_architectures.nlp.requests import NextWord
from dl_architectures.nlp_tool import asking, drawing, examples, parts


def append(word: str) -> None:
    """Continue the text, and ask what comes then."""
    st.session_state["text next-word"] += word
    st.session_state["again"] = True


def draw(asked: asking.Asked) -> None:
    """A row for each word: a button, and how probable it is."""
    match asked:
        case asking.Asked(answer=NextWordAnswer(words=words), request=NextWord(text=text)):
            st.html(drawing.plain(" …", given=text[-300:]))
            longest = max((word.probability for word in words), default=1.0)
            current = asked.record is not None
            for n, word in enumerate(words):
                with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                    shown = drawing.label(word.text, 30) or "↵"
                    if current:
                        st.button(shown, key=f"word {n}", on_click=append, args=(word.text,), width=120)
                    else:
                        st.text(word.text.strip() or "↵", width=120)
                    st.html(drawing.bar(word.probability, longest=longest))


parts.heading("Next word", "Which words may come next, and how probable the model finds each. Click on one to go on.")
model = parts.choose_model("next-word")
parts.examples([{"text next-word": text} for text in examples.NEXT_WORD])
text = parts.text_field("Text", "text next-word", names.MAX_TEXT, height=100, placeholder="Begin a sentence…")
with st.container(horizontal=True, vertical_alignment="bottom"):
    clicked = st.button("Show next words", type="primary", icon=":material/play_arrow:")
    count = st.number_input("How many", 1, names.MAX_WORDS, 10, key="count", persist_state="session", width=120)
if clicked or st.session_state.pop("again", False):
    asking.ask("next-word", lambda: NextWord(text=text, count=count), model)
asking.show("next-word", draw, "Type the beginning of a sentence, or take one of the examples.")
