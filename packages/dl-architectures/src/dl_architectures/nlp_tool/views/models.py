"""Models: what there is for each task, what is in memory, and models of the hub to fetch or to delete."""

import streamlit as st

from dl_architectures.nlp.api import Model
from dl_architectures.nlp.names import TITLES
from dl_architectures.nlp.sizes import bytes_in_words
from dl_architectures.nlp_tool import drawing, fetching, parts, resources
from dl_shared.errors import InputError

SOURCES = {"embedded": "in the package", "folder": "folder", "hub": "hub"}


def show(model: Model) -> None:
    """A card: what it is, and what can be done with it."""
    with st.container(border=True):
        st.markdown(f"**{drawing.label(model.title)}**")
        st.text(model.id)
        parts.describe(model)
        st.text(", ".join(TITLES[task] for task in model.tasks))
        if not model.ready:
            fetching.offer(model.id, model)
        elif model.source == "hub" and st.button(
            "Delete from this machine", icon=":material/delete:", key=f"remove {model.id}"
        ):
            remove(model)


def remove(model: Model) -> None:
    """Delete a model, and say what that freed."""
    try:
        freed = resources.tool().remove(model.id)
    except InputError as error:
        st.error(drawing.label(str(error), 500), icon=":material/error:")
        return
    st.toast(f"{bytes_in_words(freed)} are free again.", icon=":material/delete:")
    st.rerun()


def memory() -> None:
    """What is loaded now, beside the budget."""
    used = resources.tool().memory()
    total = sum(taken for _, taken in used.models)
    st.subheader("In memory", anchor=False)
    st.progress(min(total / max(used.budget, 1), 1.0), f"{bytes_in_words(total)} of {bytes_in_words(used.budget)}")
    for name, taken in used.models:
        st.text(f"{name}: {bytes_in_words(taken)}" if taken else name)  # a classical method has no weights
    if not used.models:
        st.caption("Nothing. A model is loaded when it is first asked; the least used leave when room is short.")


parts.heading("Models", "What can be chosen for the tasks. Models of the hub are downloaded once, then work offline.")
memory()
roots = ", ".join(str(root) for root in resources.tool().roots)
if roots:
    st.caption(drawing.label(f"Models in these folders are listed too: {roots}", 1000))
models = resources.tool().models()
st.subheader("Another model of the hub", anchor=False)
named = st.text_input("Name", placeholder="owner/name", key="hub id", max_chars=200).strip()
if named and not fetching.is_hub_id(named):
    st.warning("A model of the hub is named owner/name.", icon=":material/edit:")
elif named and any(model.id == named and model.ready for model in models):
    st.success("This model is on this machine.", icon=":material/check:")
elif named:
    fetching.offer(named, next((model for model in models if model.id == named), None))
for source, title in SOURCES.items():
    chosen = [model for model in models if model.source == source]
    if chosen:
        st.subheader(title.capitalize(), anchor=False)
    for model in chosen:
        if model.id != named:
            show(model)
