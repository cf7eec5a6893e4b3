"""Image generation: a picture from words, seen while it comes out of the noise."""

import streamlit as st

from dl_architectures.nlp import names
from dl_architectures.nlp.answers import PictureAnswer
from dl_architectures.nlp.requests import Picture
from dl_architectures.nlp_tool import asking, drawing, examples, parts, resources

USUAL = 512  # pixels of each side, where a model's own are not known
TIMES = (0.5, 1, 1.5, 2)  # farther from what a model has learned, its pictures fall apart


def sizes(model: str | None) -> dict[str, int | None]:
    """The sizes to choose from, by their names."""
    own = next((each.pixels for each in resources.tool().models("image") if each.id == model), None) or USUAL
    near = (int(own * times) for times in TIMES)
    able = (size for size in near if names.MIN_SIZE <= size <= names.MAX_SIZE and size % names.SIZE_UNIT == 0)
    return {"The model's own": None} | {f"{size} pixels": size for size in able}


def draw(asked: asking.Asked) -> None:
    """The picture, or how far it has come."""
    assert isinstance(asked.request, Picture)
    answer = asked.answer
    if isinstance(answer, PictureAnswer):
        st.html(drawing.picture(answer.png, asked.request.prompt))
        st.caption(f"{answer.width} x {answer.height} pixels, seed {answer.seed}")
        if asked.record is not None:
            st.download_button(
                "Save", answer.png, "picture.png", "image/png", icon=":material/download:", on_click="ignore"
            )
    elif asked.preview is not None:
        st.html(drawing.picture(asked.preview, "unfinished picture"))


parts.heading("Image generation", "A picture from words, drawn out of noise step by step.")
model = parts.choose_model("image")
parts.examples([{"prompt": prompt} for prompt in examples.IMAGE])
prompt = st.text_input("Prompt", key="prompt", max_chars=names.MAX_PROMPT, persist_state="session",
                       placeholder="What shall be in the picture?")  # fmt: skip
with st.expander("Settings", icon=":material/tune:"):
    left, right = st.columns(2)
    with left:
        steps = st.slider("Steps", 1, names.MAX_STEPS, 20, key="steps", persist_state="session",
                          help="More take longer, and draw a little better.")  # fmt: skip
        guidance = st.slider("Guidance", 0.0, names.MAX_GUIDANCE, 4.0, 0.5, key="guidance", persist_state="session",
                             help="How closely to follow the prompt; 1 does not push.")  # fmt: skip
    with right:
        offered = sizes(model)
        size = offered[st.selectbox("Size", list(offered), key=f"size {model}", persist_state="session")]
        seed = parts.seed_field("seed image")
if st.button("Draw", type="primary", icon=":material/play_arrow:"):
    asking.ask("image", lambda: Picture(prompt=prompt, steps=steps, guidance=guidance, size=size, seed=seed), model)
asking.show("image", draw, "Say what shall be in the picture, or take one of the examples.")
