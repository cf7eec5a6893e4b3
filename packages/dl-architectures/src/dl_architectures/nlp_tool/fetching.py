"""Models of the hub, brought to this machine: what they are first, then the download, with its progress."""

import re
from collections.abc import Generator

import streamlit as st

from dl_architectures.nlp.api import Model
from dl_architectures.nlp.sizes import bytes_in_words
from dl_architectures.nlp_tool import drawing, resources
from dl_shared.errors import InputError

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def is_hub_id(text: str) -> bool:
    """Whether a text has the form of a hub id, `owner/name`."""
    return _HUB_ID.fullmatch(text) is not None


def offer(hub_id: str, model: Model | None) -> None:
    """Say how to come by a model that is not here: by a command, or by a click that downloads it.

    Args:
        hub_id: `owner/name`, or the id of an embedded model.
        model: what is known of it; the hub is asked on a click where that is nothing.
    """
    known = model or st.session_state.get(f"looked up {hub_id}")
    with st.container(border=True):
        if known is not None and known.source != "hub":
            st.text(f"This installation lacks {hub_id}. The command that makes it:")
            st.code(known.remedy, language=None, wrap_lines=True)
            return
        st.text(f"{hub_id} is not on this machine.")
        if known is None:
            if st.button("Look it up on the hub", icon=":material/search:", key=f"look up {hub_id}"):
                _look_up(hub_id)
            return
        st.text(f"Licence: {known.licence}\nDownload: {bytes_in_words(known.bytes)}")
        if st.button("Download", icon=":material/download:", type="primary", key=f"download {hub_id}"):
            _download(hub_id)


def _look_up(hub_id: str) -> None:
    try:
        with st.spinner("Asking the hub…"):
            st.session_state[f"looked up {hub_id}"] = resources.tool().look_up(hub_id)
    except InputError as error:
        st.error(drawing.label(str(error), 500), icon=":material/cloud_off:")
        return
    st.rerun()


def _download(hub_id: str) -> None:
    """A click on Stop, or anywhere, ends it; what has come is not fetched again."""
    progress, stop = st.progress(0.0, text="Asking the hub…"), st.empty()
    stop.button("Stop", icon=":material/stop_circle:", key=f"stop download {hub_id}")
    events = resources.tool().download(hub_id)
    try:
        for event in events:
            progress.progress(min(max(event.share or 0.0, 0.0), 1.0), text=drawing.label(event.text))
    except InputError as error:
        stop.empty()
        progress.empty()
        st.error(drawing.label(str(error), 500), icon=":material/cloud_off:")
        return
    finally:
        if isinstance(events, Generator):
            events.close()
    st.toast(f"{drawing.label(hub_id)} is on this machine.", icon=":material/check:")
    st.rerun()
