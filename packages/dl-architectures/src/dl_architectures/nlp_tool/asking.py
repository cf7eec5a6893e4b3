"""One answer on the page: asked for, shown while it comes, kept for the session, and timed for the feedback database.

Streamlit runs a page from top to bottom, and a click ends the run where it next shows something. So a click on Stop, or
anywhere, ends an answer between two of its pieces; what had come stays.
"""

import logging
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator as Place

from dl_architectures.nlp import answers
from dl_architectures.nlp.names import Task
from dl_architectures.nlp.requests import Request
from dl_architectures.nlp_tool import drawing, opinions, resources, wording
from dl_architectures.nlp_tool.feedback import Answer, FeedbackError, Outcome, Rating
from dl_shared.errors import InputError

_REDRAW_SECONDS = 0.05  # between two redrawings of an answer that is coming


@dataclass
class Asked:
    """A question and what came of it.

    Attributes:
        request: what to answer.
        model: its id.
        record: how it ended; None until it did.
        text: the pieces of the answer that have come.
        preview: the last preview of a picture.
        finished: the answer itself.
        error: what went wrong, in a line.
        rating: what the person thinks of it.
    """

    request: Request
    model: str
    record: Answer | None = None
    text: str = ""
    preview: bytes | None = None
    finished: answers.Finished | None = None
    error: str = ""
    rating: Rating | None = None

    @property
    def answer(self) -> answers.Answer | None:
        """The answer, where there is one."""
        return self.finished.answer if self.finished else None


Draw = Callable[[Asked], None]
"""Shows an answer, or what has come of it. It is called again and again while the record is None: without buttons."""


def ask(task: Task, make: Callable[[], Request], model: str | None) -> None:
    """Take a question of a page that shows one answer at a time; `show` answers it.

    Args:
        task: the page's.
        make: makes the request, and raises `InputError` if it is not one.
        model: to ask; without one the person is told to choose another.
    """
    if model is None:
        st.warning("This model is not here yet. Get it first, or choose another.", icon=":material/download:")
        return
    try:
        st.session_state[f"asked {task}"] = Asked(make(), model)
    except InputError as error:
        st.warning(drawing.label(str(error)), icon=":material/edit:")


def show(task: Task, draw: Draw, hint: str) -> None:
    """Show the page's answer, and get it first where it was only asked for.

    Args:
        task: the page's.
        draw: shows the answer itself, or the part that has come.
        hint: shown while nothing was asked.
    """
    asked = st.session_state.get(f"asked {task}")
    if asked is None:
        st.info(hint, icon=":material/lightbulb:")
        return
    with st.container(border=True):
        show_one(asked, draw)


def show_one(asked: Asked, draw: Draw) -> None:
    """Show an answer with what is to be said of it, and get it first if that was not done yet."""
    controls, place = st.empty(), st.empty()
    if asked.record is None:
        with controls.container(horizontal=True, vertical_alignment="center"):
            progress = st.empty()
            st.button("Stop", icon=":material/stop_circle:", key="stop")
        _answer(asked, progress, lambda: _draw_in(place, asked, draw))
        controls.empty()
    _draw_in(place, asked, draw)
    _show_footer(asked)


def _draw_in(place: Place, asked: Asked, draw: Draw) -> None:
    with place.container():
        draw(asked)


def _answer(asked: Asked, progress: Place, redraw: Callable[[], None]) -> None:
    """Get the answer, showing what comes of it; the record is made however it ends."""
    task = asked.request.task
    progress.caption("Thinking…")
    began, drawn, first = time.monotonic(), 0.0, None
    outcome: Outcome = "cancelled"
    events = resources.tool().answer(asked.request, model=asked.model)
    try:
        for event in events:
            now = time.monotonic()
            match event:
                case answers.Loading(text=text, share=share):
                    _show_progress(progress, text, share)
                    continue
                case answers.Working(done=done, total=total):
                    _show_progress(progress, f"{done} of {total}", done / max(total, 1))
                    continue
                case answers.Piece(text=text):
                    asked.text += text
                case answers.Preview(png=png, step=step, steps=steps):
                    asked.preview = png
                    _show_progress(progress, f"Step {step} of {steps}", step / max(steps, 1))
                case answers.Finished():
                    asked.finished = event
            first = now - began if first is None else first
            if now - drawn > _REDRAW_SECONDS:
                redraw()
                drawn = now
        outcome = "cancelled" if asked.finished and asked.finished.cancelled else "finished"
    except InputError as error:
        asked.error, outcome = str(error), "failed"
    except Exception:  # whatever a model's code raises, the person is told in words, and the log has the rest
        logging.getLogger(__name__).exception("%s with %s", task, asked.model)
        asked.error = "The model failed in a way that the tool does not know. The server's log tells more."
        outcome = "failed"
    finally:
        # Also where Streamlit ends the run, with an exception of its own.
        if isinstance(events, Generator):
            events.close()
        asked.record = Answer(
            task=task,
            model=asked.model,
            outcome=outcome,
            seconds=time.monotonic() - began,
            first_seconds=first,
        )
        _keep(asked.record)


def _show_progress(place: Place, text: str, share: float | None) -> None:
    if share is None:
        place.caption(drawing.label(text))
    else:
        place.progress(min(max(share, 0.0), 1.0), text=drawing.label(text))


def _keep(record: Answer) -> None:
    """An answer is none the worse if its times cannot be kept; the page says so once."""
    try:
        resources.feedback().record(record)
    except FeedbackError as error:
        st.session_state["feedback problem"] = str(error)


def _show_footer(asked: Asked) -> None:
    """Below an answer: how it ended, how long it took, and the thumbs."""
    record = asked.record
    assert record is not None
    if asked.error:
        st.error(drawing.label(asked.error, 1000), icon=":material/error:")
        return
    for note in asked.finished.notes if asked.finished else ():
        st.caption(drawing.label(note, 1000))
    ended = "Stopped after" if record.outcome == "cancelled" else "Answered in"
    st.caption(f"{ended} {drawing.duration(record.seconds)}")
    if asked.answer is not None or asked.text:
        asked.rating = opinions.thumbs(
            record, asked.rating, wording.in_words(asked.request), wording.answer_in_words(asked.answer, asked.text)
        )
