"""Answers, summaries and sentiment without a network: what they find, and what they own up to not finding."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dl_architectures.nlp.classical.ngrams import hashed_ngrams, normalised_words, shared_among_words, word_spans
from dl_architectures.nlp.classical.questions import answer_question
from dl_architectures.nlp.classical.sentiment import NgramSentiment
from dl_architectures.nlp.classical.summary import PART, centrality, summarise
from dl_architectures.nlp.classical.terms import stem
from dl_architectures.nlp_tool import examples
from dl_shared.data.sentences import sentence_spans
from dl_shared.errors import InputError

CURIE = (
    "Marie Curie was born in Warsaw on 7 November 1867. She moved to Paris in 1891, where she studied physics at the "
    "Sorbonne. In 1903 she won the Nobel Prize in Physics together with her husband Pierre Curie and Henri Becquerel. "
    "She discovered the elements polonium and radium. Pierre died in 1906 because a carriage ran over him in the "
    "street. Marie Curie founded the Radium Institute in Paris, and during the First World War she drove mobile X-ray "
    "units to the front. She had two daughters, Irène and Ève. She died in 1934 from aplastic anaemia, at the age of "
    "66."
)
AMAZON = (
    "The Amazon River flows through Brazil, Peru and Colombia. It is about 6,400 kilometres long and carries more "
    "water than any other river. The river was named by Francisco de Orellana after warriors who fought his men in "
    "1542. More than 3,000 species of fish live in it. The largest city on the river is Manaus, with two million "
    "people. In the dry season the river is 11 kilometres wide. No bridges cross the Amazon, since most of the river "
    "runs through forest and not through towns."
)


@pytest.mark.parametrize(
    ("context", "question", "answer"),
    [
        (CURIE, "When was Marie Curie born?", "7 November 1867"),
        (CURIE, "Where was Marie Curie born?", "Warsaw"),
        (CURIE, "Who was her husband?", "Pierre Curie and Henri Becquerel"),
        (CURIE, "When did she move to Paris?", "1891"),
        (CURIE, "Where did she study physics?", "Sorbonne"),
        (CURIE, "What elements did she discover?", "polonium and radium"),
        (CURIE, "Why did Pierre die?", "because a carriage ran over him in the street"),
        (CURIE, "How many daughters did she have?", "two"),
        (CURIE, "How old was she when she died?", "66"),
        (CURIE, "Which institute did Marie Curie found?", "Radium Institute"),
        (CURIE, "What did Marie Curie die from?", "aplastic anaemia"),
        (AMAZON, "How long is the Amazon?", "6,400 kilometres long"),
        (AMAZON, "Who named the river?", "Francisco de Orellana"),
        (AMAZON, "How many species of fish live in the Amazon?", "3,000"),
        (AMAZON, "What is the largest city on the river?", "Manaus"),
        (AMAZON, "How wide is the river in the dry season?", "11 kilometres wide"),
        (AMAZON, "Which countries does the Amazon flow through?", "Brazil, Peru and Colombia"),
    ],
)
def test_a_question_in_the_words_of_the_text_is_answered(context, question, answer):
    found = answer_question(question, context)
    assert found.found
    assert found.text == answer == context[found.start : found.end]
    assert 0 < found.score <= 1


@pytest.mark.parametrize(
    ("context", "question"),
    [
        (CURIE, "What is the capital of Mongolia?"),
        (CURIE, "Who painted the Mona Lisa?"),
        (AMAZON, "How deep is the Nile?"),
        (AMAZON, "Who is the president of Peru?"),
        (AMAZON, "?"),
        ("...", "Where is it?"),
    ],
)
def test_what_the_text_does_not_tell_is_not_found(context, question):
    found = answer_question(question, context)
    assert not found.found
    assert found.text == context[found.start : found.end]


def test_what_the_page_offers_to_ask_is_answered_rightly():
    answers = [answer_question(*asked) for asked in examples.QUESTION]
    assert [found.text if found.found else None for found in answers] == ["Anna Lindqvist", "1961", None]


@settings(deadline=None)  # the first example also compiles the checks of shapes
@given(st.text(max_size=60), st.text(max_size=300))
def test_any_question_about_any_text_gets_a_span_of_it(question, context):
    found = answer_question(question, context)
    assert found.text == context[found.start : found.end]
    assert 0 <= found.score <= 1


def test_stems_bring_inflected_forms_together():
    for forms in (("invent", "invents", "invented", "inventing"), ("stop", "stopped"), ("city", "cities", "city's")):
        assert len({stem(form) for form in forms}) == 1
    assert stem("wrote") == stem("write")
    assert stem("glass") != stem("glas")


def test_a_summary_is_made_of_sentences_of_the_text_in_their_order():
    text = CURIE + " " + AMAZON
    spans = sentence_spans(text)
    for length, most in (("short", 3), ("medium", 6), ("long", 12)):
        summary = summarise(text, length)
        assert set(summary.spans) <= set(spans)
        assert list(summary.spans) == sorted(summary.spans)
        assert 1 <= len(summary.spans) <= most
        assert summary.text == " ".join(text[start:end] for start, end in summary.spans)
    assert len(summarise(text, "short").spans) < len(summarise(text, "long").spans)


def test_what_is_said_twice_is_taken_once():
    repeated = "The river floods the valley every spring and the farmers wait for the water."
    text = " ".join(
        [repeated] * 3 + ["Farmers plant rice when the water of the river falls.", "A mill stands upstream."]
    )
    summary = summarise(text, "medium")
    assert summary.text.count(repeated) == 1
    assert len(summary.spans) == 2


def test_the_sentence_that_others_resemble_is_central():
    similarity = np.array([[1.0, 0.5, 0.5, 0.0], [0.5, 1.0, 0.1, 0.0], [0.5, 0.1, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    walk = centrality(similarity)
    assert walk.sum() == pytest.approx(1)
    assert walk.argmax() == 0
    assert walk.argmin() == 3


def test_a_long_text_is_read_in_parts():
    text = " ".join(f"Chapter {i} tells of the harbour, the ships and storm number {i % 7}." for i in range(3 * PART))
    summary = summarise(text, "long")
    assert summary.parts == 3
    assert len(summary.spans) == 12


@pytest.mark.parametrize("text", ["", "   ", "One sentence alone.", "!!!", "a\n\nb"])
def test_a_short_text_is_its_own_summary(text):
    assert "".join(summarise(text).text.split()) == "".join(text.split())


def words_of(text):
    return normalised_words(text, word_spans(text))


def test_words_are_lower_case_with_one_kind_of_mark():
    assert words_of("It’s GREAT!!! Isn't it?") == ["it's", "great", "!", "isn't", "it", "?"]


def test_ngrams_are_those_of_up_to_order_words_and_depend_on_their_order():
    ngrams = hashed_ngrams(words_of("not good at all"), order=2, bits=20)
    assert list(zip(ngrams.starts, ngrams.lengths, strict=True)) == [
        *((0, 1), (1, 1), (2, 1), (3, 1)),
        *((0, 2), (1, 2), (2, 2)),
    ]
    assert len(set(ngrams.buckets.tolist())) == 7
    assert ngrams.buckets.max() < 2**20
    swapped = hashed_ngrams(words_of("good not"), order=2, bits=20)
    assert set(swapped.buckets[:2]) == set(ngrams.buckets[:2])
    assert swapped.buckets[2] != ngrams.buckets[4]
    assert len(hashed_ngrams([], order=2, bits=20).buckets) == 0


def test_the_words_of_an_ngram_share_its_value():
    ngrams = hashed_ngrams(["a", "b", "c"], order=2, bits=10)
    assert shared_among_words(ngrams, np.array([1.0, 2.0, 3.0, 10.0, 20.0]), 3).tolist() == [6.0, 17.0, 13.0]


@pytest.fixture(scope="module")
def model():
    """One that knows two words and a pair."""
    weights = np.zeros(2**12, np.float16)
    for words, weight in ((["good"], 2.0), (["bad"], -2.0), (["not", "good"], -5.0)):
        weights[hashed_ngrams(words, order=2, bits=12).buckets[-1]] = weight
    return NgramSentiment(weights, bias=0.25, order=2)


def test_log_odds_are_worked_by_hand(model):
    assert model.log_odds("") == 0.25
    assert model.log_odds("Good") == 2.25
    # Three distinct words and two pairs.
    assert model.log_odds("not good film") == pytest.approx(0.25 + (2 - 5) / np.sqrt(5))


def test_the_weights_of_words_sum_to_the_verdict(model):
    text = "Not good. A bad film, bad! Not good?"
    answer = model.answer(text)
    assert answer.label == "negative"
    assert answer.confidence > 0.5
    assert sum(probability for _, probability in answer.probabilities) == pytest.approx(1)
    log_odds = np.log(answer.confidence / (1 - answer.confidence))
    assert sum(weight.value for weight in answer.weights) - 0.25 == pytest.approx(log_odds)
    by_word = {text[weight.start : weight.end]: weight.value for weight in answer.weights}
    assert by_word["bad"] > 0 > by_word["!"] - 1e-9
    assert list(answer.weights) == sorted(answer.weights, key=lambda weight: weight.start)


@pytest.mark.parametrize("text", ["", "😀", "!", "word " * 3000])
def test_any_text_has_a_sentiment(model, text):
    answer = model.answer(text)
    assert 0.5 <= answer.confidence <= 1
    assert len(answer.weights) == len(word_spans(text))


def test_a_saved_model_is_the_same(model, tmp_path):
    model.save(tmp_path / "model")
    again = NgramSentiment.load(tmp_path / "model")
    assert np.array_equal(again.weights, model.weights)
    assert (again.bias, again.order) == (0.25, 2)


@pytest.mark.parametrize(
    ("file", "content", "complaint"),
    [
        ("config.json", b'{"model_type": "bert"}', "no model of the kind"),
        ("config.json", b'{"model_type": "hashed-ngrams", "order": 2, "bits": 12}', "is damaged"),
        (
            "config.json",
            b'{"model_type": "hashed-ngrams", "order": 2, "bits": 12, "bias": 1%s}' % (b"0" * 400),
            "has more than 64 bits",
        ),
        (
            "config.json",
            b'{"model_type": "hashed-ngrams", "order": 2, "bits": 1%s, "bias": 0}' % (b"0" * 400),
            "has more than 64 bits",
        ),
        ("config.json", b'{"model_type": "hashed-ngrams", "order": 2, "bits": 11, "bias": 0}', "do not fit"),
        ("model.safetensors", b"\x80\x04K\x01.", "is damaged"),
    ],
)
def test_damaged_models_are_refused(model, tmp_path, file, content, complaint):
    model.save(tmp_path)
    (tmp_path / file).write_bytes(content)
    with pytest.raises(InputError, match=complaint):
        NgramSentiment.load(tmp_path)
