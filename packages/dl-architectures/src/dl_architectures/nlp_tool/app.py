"""The page: Streamlit runs this file from top to bottom for every click, then the view that was chosen."""

import streamlit as st

from dl_architectures.nlp.names import TITLES
from dl_architectures.nlp_tool import drawing, resources
from dl_shared.errors import InputError

# An emoji, since the browser would fetch any of Streamlit's own icons for a tab from another machine.
st.set_page_config(page_title="dl-nlp-tool", page_icon="💬", layout="centered")
st.html(drawing.STYLE)
try:
    resources.tool()
    resources.feedback()
except InputError as error:
    st.error(drawing.label(str(error), 1000), icon=":material/error:")
    st.stop()

st.navigation(
    {
        "Tasks": [
            st.Page("views/next_word.py", title=TITLES["next-word"], icon=":material/input:", default=True),
            st.Page("views/generate.py", title=TITLES["generate"], icon=":material/edit_note:"),
            st.Page("views/chat.py", title=TITLES["chat"], icon=":material/forum:"),
            st.Page("views/sentiment.py", title=TITLES["sentiment"], icon=":material/mood:"),
            st.Page("views/question.py", title=TITLES["question"], icon=":material/quiz:"),
            st.Page("views/summary.py", title=TITLES["summary"], icon=":material/short_text:"),
            st.Page("views/image.py", title=TITLES["image"], icon=":material/image:"),
        ],
        "Tool": [
            st.Page("views/feedback.py", title="Feedback", icon=":material/reviews:"),
            st.Page("views/evaluation.py", title="Evaluation", icon=":material/monitoring:"),
            st.Page("views/models.py", title="Models", icon=":material/deployed_code:"),
        ],
    }
).run()
