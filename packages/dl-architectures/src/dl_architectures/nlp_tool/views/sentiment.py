"""Sentiment: whether a text speaks well or ill of its subject, and which of its words say so."""

import streamlit as st

from dl_architectures.nlp import names
from dl_architectures.nlp.answers import SentimentAnswer
from dl_architectures.nlp.requests import Sentiment
from dl_architectures.nlp_tool import asking, drawing, examples, parts


def draw(asked: asking.Asked) -> None:
    """The label, how sure the model is, and the words by what they did for the label."""
    match asked:
        case asking.Asked(answer=SentimentAnswer() as answer, request=Sentiment(text=text)):
            st.subheader(drawing.label(answer.label.capitalize()), anchor=False)
            for name, probability in answer.probabilities:
                st.html(drawing.bar(probability, name=name))
            if answer.weights:
                st.html(drawing.weighed(text, answer.weights))


parts.heading("Sentiment", "Whether a text speaks well or ill of its subject, and which of its words say so.")
model = parts.choose_model("sentiment")
parts.examples([{"text sentiment": text} for text in examples.SENTIMENT])
text = parts.text_field("Text", "text sentiment", names.MAX_TEXT, placeholder="A review, an opinion…")
if st.button("Judge", type="primary", icon=":material/play_arrow:"):
    asking.ask("sentiment", lambda: Sentiment(text=text), model)
asking.show("sentiment", draw, "Type what somebody thinks of something, or take one of the examples.")
