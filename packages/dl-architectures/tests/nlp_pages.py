"""The page without a browser: what its tests type and read."""

from pathlib import Path

from streamlit.testing.v1 import AppTest

import dl_architectures.nlp_tool as package

APP = Path(package.__file__).with_name("app.py")
NASTY = '<script>alert("1")</script> **bold** :material/bolt: $x$ [a](http://x.y)'
# What is typed on each page: fields by their keys, and the button that asks.
TYPED = {
    "next_word": ({"text next-word": "Once upon"}, "Show next words"),
    "generate": ({"text generate": "Once upon"}, "Continue"),
    "sentiment": ({"text sentiment": "Good film"}, "Judge"),
    "question": ({"context": "The answer is here.", "question": "Where?"}, "Find the answer"),
    "summary": ({"text summary": "One sentence of it. Another sentence of it."}, "Summarise"),
    "image": ({"prompt": "a sneaker"}, "Draw"),
}
TASKS = dict(zip(TYPED, ("next-word", "generate", "sentiment", "question", "summary", "image"), strict=True))


def open_app():
    """The page as somebody sees it who comes first."""
    return sound(AppTest.from_file(APP, default_timeout=60).run())


def open_page(name, app=None):
    """A page, of a new session unless one is given."""
    return sound((app or open_app()).switch_page(f"views/{name}.py").run())


def sound(app):
    """The page, which shows no traceback."""
    assert not app.exception
    return app


def html(app):
    """All HTML of the page."""
    return "".join(element.proto.body for element in app.get("html"))


def words(app):
    """All that can be read on the page, as it is sent."""
    written = [e.value for kind in ("markdown", "caption", "text", "info", "warning", "error", "success", "subheader")
               for e in app.get(kind)]  # fmt: skip
    return "\n".join([html(app), *written])


def click(app, label):
    (button,) = [button for button in app.button if button.label == label]
    return sound(button.click().run())


def type_in(app, fields):
    for key, text in fields.items():
        (field,) = [field for field in (*app.text_area, *app.text_input) if field.key == key]
        field.set_value(text)
    return app


def ask(app, name):
    fields, button = TYPED[name]
    return click(type_in(app, fields), button)
