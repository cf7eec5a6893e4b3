"""What the page draws of texts that nobody should trust, and under which settings it is served."""

import socket

import pytest

from dl_architectures.nlp.answers import Weight
from dl_architectures.nlp.sizes import bytes_in_words
from dl_architectures.nlp_tool import drawing
from dl_architectures.nlp_tool.options import PageOptions
from dl_architectures.nlp_tool.serve import serve, settings
from dl_shared.errors import InputError

NASTY = "<img src=x onerror=alert(1)> & \"quotes\" 'too'"
SAFE = "&lt;img src=x onerror=alert(1)&gt; &amp; &quot;quotes&quot; &#x27;too&#x27;"


def test_every_piece_of_html_escapes_its_texts():
    assert drawing.plain(NASTY) == f'<div class="nlp-text">{SAFE}</div>'
    assert f'<span class="nlp-given">{SAFE}</span>' in drawing.plain("", given=NASTY)
    assert f"<b>{SAFE}</b>" in drawing.bar(0.5, name=NASTY)
    assert f'alt="{SAFE}"' in drawing.picture(b"", NASTY)
    assert drawing.marked(NASTY, [(0, len(NASTY))]) == f'<div class="nlp-text"><mark>{SAFE}</mark></div>'
    weighed = drawing.weighed(NASTY, [Weight(start=0, end=5, value=1.0)])
    assert "<img" not in weighed
    assert "&lt;img </span>src=x" in weighed


def test_marks_stand_where_they_should_and_far_text_is_left_out():
    assert drawing.marked("ab cd ef", [(0, 2), (6, 8)]) == (
        '<div class="nlp-text"><mark>ab</mark> cd <mark>ef</mark></div>'
    )
    long = "x" * 100 + "MARK" + "y" * 100
    assert drawing.marked(long, [(100, 104)], around=3) == '<div class="nlp-text">…xxx<mark>MARK</mark>yyy…</div>'
    assert drawing.marked("all", []) == '<div class="nlp-text">all</div>'


def test_words_are_coloured_by_sign_and_strength():
    text = "good and bad"
    drawn = drawing.weighed(text, [Weight(start=0, end=4, value=2.0), Weight(start=9, end=12, value=-1.0)])
    assert (
        '<span class="nlp-weight" style="background: rgba(0, 114, 178, 0.70)" title="+2.00">good</span> and ' in drawn
    )
    assert '<span class="nlp-weight" style="background: rgba(213, 94, 0, 0.35)" title="-1.00">bad</span>' in drawn


def test_a_label_is_text_to_markdown():
    assert drawing.label("**a** [b](c) `d` $e$ _f_") == r"\*\*a\*\* \[b\]\(c\) \`d\` \$e\$ \_f\_"
    assert drawing.label(":red[x] :material/bolt: :smile:").count(":\u2060") == 5
    assert drawing.label("two\nlines\tand more") == "two lines and more"
    assert drawing.label("a" * 50, 10) == "a" * 9 + "…"


@pytest.mark.parametrize(
    ("share", "shown"), [(0.0, "0.0 %"), (0.5, "50.0 %"), (1.0, "100.0 %"), (0.001, "0.1 %"), (0.00002, "0.002 %")]
)
def test_small_shares_are_not_shown_as_nothing(share, shown):
    assert drawing.percent(share) == shown


@pytest.mark.parametrize(
    ("n", "shown"), [(None, "size not known"), (0, "0 B"), (2_000, "2.0 kB"), (3_870_000, "3.9 MB"), (8.06e9, "8.1 GB")]
)
def test_sizes_are_in_the_unit_that_suits_them(n, shown):
    assert bytes_in_words(None if n is None else int(n)) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.0123, "12 ms"), (0.9991, "999 ms"), (0.9996, "1.0 s"), (75.0, "75.0 s")]
)
def test_short_times_are_in_milliseconds(seconds, shown):
    assert drawing.duration(seconds) == shown


def test_the_page_is_served_to_this_machine_only_unless_asked_otherwise():
    local = settings(PageOptions(port=0))
    assert local["server_address"] == "localhost"
    assert local["server_enableXsrfProtection"] is True
    assert local["server_enableCORS"] is True
    assert local["client_showErrorDetails"] == "none"
    assert local["browser_gatherUsageStats"] is False
    assert "localhost" in local["server_allowedHosts"]
    assert settings(PageOptions(address="0.0.0.0"))["server_allowedHosts"] == []
    assert settings(PageOptions(browser=False))["server_headless"] is True


def test_a_port_that_is_taken_is_said_so(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        options = PageOptions(address="127.0.0.1", port=port, database=f"sqlite:///{tmp_path / 'f.sqlite3'}")
        with pytest.raises(InputError, match=rf"cannot be served at 127.0.0.1:{port}: .*; choose another --port"):
            serve(options, lambda: None)


def test_a_database_that_cannot_be_used_is_said_so_before_the_page_opens():
    with pytest.raises(InputError, match=r"--database must be"):
        serve(PageOptions(database="mysql://x"), lambda: None)


def test_a_port_out_of_range_is_refused():
    with pytest.raises(ValueError, match=r"port must be from 0 to 65535, got 70000"):
        PageOptions(port=70000)
