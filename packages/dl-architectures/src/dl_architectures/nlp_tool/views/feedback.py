"""Feedback: what was rated, newest first, and its export."""

from functools import partial

import streamlit as st

from dl_architectures.nlp.names import TITLES
from dl_architectures.nlp_tool import drawing, export, parts, resources
from dl_architectures.nlp_tool.feedback import FeedbackError, Opinion

SHOWN = 20
RATINGS: dict[str | None, Opinion] = {"up": "up", "down": "down"}
SHOW = {"all": "All", "up": ":material/thumb_up: Good", "down": ":material/thumb_down: Bad"}
FILES: dict[export.Format, str] = {"csv": "Save as CSV", "jsonl": "Save as JSON Lines"}
CUT = 600  # characters of a text shown here; the export has the rest


def exported(kind: export.Format) -> bytes:
    """A file of everything that was rated, made when somebody asks for it."""
    return "".join(export.FORMATS[kind](resources.feedback().rated())).encode(export.ENCODINGS[kind])


def cut(text: str) -> str:
    """A text short enough for a list."""
    return text if len(text) <= CUT else f"{text[: CUT - 1]}…"


parts.heading("Feedback", "Answers that were rated, newest first. They stay in a database of your own.")
only = st.segmented_control(
    "Show",
    list(SHOW),
    default="all",
    required=True,
    key="shown feedback",
    label_visibility="collapsed",
    format_func=lambda name: SHOW[name],
)
try:
    rows = list(resources.feedback().rated(newest=SHOWN, rating=RATINGS.get(only)))
except FeedbackError as error:
    st.error(drawing.label(str(error)), icon=":material/database_off:")
    st.stop()
if not rows:
    nothing = "Nothing was rated yet." if only == "all" else "No answer was rated so."
    st.info(f"{nothing} Below each answer there are two thumbs.", icon=":material/thumbs_up_down:")
else:
    with st.container(horizontal=True):
        for kind, name in FILES.items():
            st.download_button(
                name,
                partial(exported, kind),
                f"feedback.{kind}",
                icon=":material/download:",
                on_click="ignore",
                key=f"save {kind}",
            )
    if len(rows) == SHOWN:
        st.caption(f"The newest {SHOWN}; the files have all.")
for row in rows:
    with st.container(border=True):
        thumb = ":material/thumb_up:" if row["rating"] == "up" else ":material/thumb_down:"
        task = TITLES.get(row["task"], row["task"])
        st.markdown(f"{thumb} **{drawing.label(task)}** · {drawing.label(row['model'])}")
        if row["comment"]:
            st.html(drawing.marked(row["comment"], [(0, len(row["comment"]))]))
        st.html(drawing.plain(cut(row["prompt"])))
        st.html(drawing.plain("", given=cut(row["answer"])))
        st.caption(f"{row['created_at']:%d %B %Y, %H:%M} UTC · {drawing.duration(row['seconds'])}")
