"""Question answering: where in a text the answer to a question stands, if it does."""

import streamlit as st

from dl_architectures.nlp import names
from dl_architectures.nlp.answers import QuestionAnswer
from dl_architectures.nlp.requests import Question
from dl_architectures.nlp_tool import asking, drawing, examples, parts

AROUND = 1500  # characters of the text shown on each side of the answer


def draw(asked: asking.Asked) -> None:
    """The answer, its score, and where it stands."""
    match asked:
        case asking.Asked(answer=QuestionAnswer() as answer, request=Question(context=context)):
            if not answer.found:
                st.subheader("Not in the text", anchor=False)
                if answer.text:
                    st.text(f"The nearest to an answer, with a score of {drawing.percent(answer.score)}:")
            else:
                st.subheader(drawing.label(answer.text), anchor=False)
                st.text(f"Score: {drawing.percent(answer.score)}")
            if answer.text:
                st.html(drawing.marked(context, [(answer.start, answer.end)], around=AROUND))


parts.heading("Question answering", "Where in a text the answer to a question stands, or that it does not.")
model = parts.choose_model("question")
parts.examples([{"question": question, "context": context} for question, context in examples.QUESTION])
context = parts.text_field("Text to search", "context", names.MAX_CONTEXT, height=180, placeholder="Paste a text…")
question = st.text_input("Question", key="question", max_chars=names.MAX_QUESTION, persist_state="session")
if st.button("Find the answer", type="primary", icon=":material/play_arrow:"):
    asking.ask("question", lambda: Question(question=question, context=context), model)
asking.show("question", draw, "Paste a text and ask about it, or take one of the examples.")
