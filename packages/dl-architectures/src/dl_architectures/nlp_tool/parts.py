"""What the pages of several tasks have: a heading, the choice of a model, examples, how tokens are drawn."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dl_architectures.nlp import names
from dl_architectures.nlp.api import Model
from dl_architectures.nlp.names import Task
from dl_architectures.nlp.requests import Sampling
from dl_architectures.nlp.sizes import bytes_in_words
from dl_architectures.nlp_tool import drawing, fetching, resources


def heading(title: str, about: str) -> None:
    """The top of a page; both texts are ours."""
    st.title(title, anchor=False)
    st.caption(about)
    problem = st.session_state.pop("feedback problem", None)
    if problem:
        st.warning(drawing.label(problem), icon=":material/database_off:")


def choose_model(task: Task) -> str | None:
    """Let the person choose a model.

    Returns:
        Its id; None if it has to be downloaded first, which is then offered.
    """
    models = {model.id: model for model in resources.tool().models(task)}
    roots = ", ".join(str(root) for root in resources.tool().roots)
    folders = f", or the path of a folder below {roots}" if roots else ""
    chosen = st.selectbox(
        "Model",
        list(models),
        index=next((n for n, model in enumerate(models.values()) if model.ready), 0),
        format_func=lambda id_: models[id_].title if id_ in models else id_,
        key=f"model {task}",
        persist_state="session",
        accept_new_options=True,
        help=drawing.label(f"Take one, or type the name of a model of the Hugging Face hub{folders}.", 500),
    )
    if chosen is None:
        st.warning("There is no model for this task here. See the page Models.", icon=":material/download:")
        return None
    model = models.get(chosen)
    if model is not None:
        describe(model)
    if not model.ready if model is not None else fetching.is_hub_id(chosen):
        fetching.offer(chosen, model)
        return None
    return chosen


def describe(model: Model) -> None:
    """One line about a model."""
    size = bytes_in_words(model.bytes) if model.bytes else ""  # a classical method has none
    facts = [size, f"licence: {model.licence}" if model.source != "embedded" else ""]
    line = " · ".join(fact for fact in (model.about, *facts) if fact)
    badge = ":orange-badge[small] " if model.small else ""
    st.caption(badge + drawing.label(line, 500))


def examples(values: Sequence[Mapping[str, str]]) -> None:
    """Buttons that fill in the fields of the page.

    Args:
        values: of each button: the text of every field, by its key; the first stands on the button.
    """
    with st.container(horizontal=True, gap="small"):
        for n, fields in enumerate(values):
            name = drawing.label(next(iter(fields.values())), 40)
            st.button(name, key=f"example {n} {next(iter(fields))}", on_click=fill, args=(fields,), type="tertiary",
                      icon=":material/lightbulb:")  # fmt: skip


def fill(fields: Mapping[str, Any]) -> None:
    """Set fields by their keys; a callback, since a field cannot be changed once it is drawn."""
    for key, value in fields.items():
        st.session_state[key] = value


def text_field(name: str, key: str, longest: int, *, height: int = 140, placeholder: str = "") -> str:
    """A field for a long text, which is still there when the person comes back to the page."""
    return st.text_area(
        name, key=key, height=height, max_chars=longest, placeholder=placeholder, persist_state="session"
    )


def seed_field(key: str) -> int | None:
    """A seed; empty for a new one each time."""
    return st.number_input(
        "Seed",
        min_value=0,
        max_value=names.MAX_SEED,
        value=None,
        step=1,
        key=key,
        placeholder="new each time",
        persist_state="session",
        help="The same seed, question and settings give the same answer again.",
    )


def sampling(task: Task) -> Sampling:
    """How tokens are drawn, in a panel to be opened."""
    usual = Sampling()
    with st.expander("Settings", icon=":material/tune:"):
        left, right = st.columns(2)
        with left:
            tokens = st.slider("Length, in tokens", 1, 500, usual.max_tokens, key=f"length {task}",
                               persist_state="session")  # fmt: skip
            temperature = st.slider("Temperature", 0.0, names.MAX_TEMPERATURE, usual.temperature, 0.05,
                                    key=f"temperature {task}", persist_state="session",
                                    help="Higher is bolder; 0 always takes the likeliest token.")  # fmt: skip
        with right:
            top_p = st.slider("Top-p", 0.05, 1.0, usual.top_p, 0.05, key=f"top-p {task}", persist_state="session",
                              help="Draw from the likeliest tokens that together have this probability.")  # fmt: skip
            seed = seed_field(f"seed {task}")
    return Sampling(max_tokens=tokens, temperature=temperature, top_p=top_p, seed=seed)
