"""Chat: a conversation that the model remembers as far as it has room."""

import streamlit as st

from dl_architectures.nlp import names
from dl_architectures.nlp.answers import TextAnswer
from dl_architectures.nlp.requests import Chat, Message, Sampling
from dl_architectures.nlp_tool import asking, drawing, examples, parts, wording
from dl_shared.errors import InputError


def said(turn: asking.Asked) -> str:
    """What the assistant said in a turn."""
    return turn.answer.text if isinstance(turn.answer, TextAnswer) else turn.text


def draw(turn: asking.Asked) -> None:
    """The assistant's part of a turn, as plain text."""
    st.html(drawing.plain(said(turn) or "…"))


def spoken(turns: list[asking.Asked]) -> list[Message]:
    """The conversation so far, without turns to which nothing was answered."""
    messages = []
    for turn in turns:
        assert isinstance(turn.request, Chat)
        if said(turn):
            messages += [turn.request.messages[-1], Message(role="assistant", content=said(turn))]
    return messages


def take_turn(text: str, system: str, sampling: Sampling, model: str) -> None:
    """Add what the person said to the conversation; it is answered where the turns are drawn."""
    turns = st.session_state["turns"]
    try:
        messages = (*spoken(turns), Message(role="user", content=text))
        turns.append(asking.Asked(Chat(messages=messages, system=system, sampling=sampling), model))
    except InputError as error:
        st.warning(drawing.label(str(error)), icon=":material/edit:")


parts.heading("Chat", "A conversation. The model remembers what was said, as far as it has room.")
model = parts.choose_model("chat")
turns: list[asking.Asked] = st.session_state.setdefault("turns", [])
with st.expander("What the assistant is told first", icon=":material/psychology:"):
    system = parts.text_field("System prompt", "system", names.MAX_TEXT, height=80,
                              placeholder="You are a helpful assistant.")  # fmt: skip
sampling = parts.sampling("chat")

typed = st.chat_input("Say something", max_chars=names.MAX_TEXT, disabled=model is None)
typed = typed or st.session_state.pop("say", None)
if not turns and not typed:
    st.info("Say something below, or begin with one of these.", icon=":material/lightbulb:")
    with st.container(horizontal=True):
        for text in examples.CHAT:
            st.button(drawing.label(text), on_click=parts.fill, args=({"say": text},), disabled=model is None)
if typed and model is not None:
    take_turn(typed, system, sampling, model)
for turn in turns:
    assert isinstance(turn.request, Chat)
    with st.chat_message("user"):
        st.html(drawing.plain(turn.request.messages[-1].content))
    with st.chat_message("assistant"):
        asking.show_one(turn, draw)
if turns:
    with st.container(horizontal=True):
        st.button("New conversation", icon=":material/restart_alt:", on_click=turns.clear)
        st.download_button(
            "Save as JSON",
            wording.conversation(system, spoken(turns)),
            "conversation.json",
            icon=":material/download:",
            on_click="ignore",
        )
