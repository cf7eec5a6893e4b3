"""The trainings of the embedded models, killed anywhere and resumed; `nox -s kills` does it.

Elsewhere they are stopped at chosen steps, in one process, which takes less long.
"""

import dataclasses
import os

import nlp_trainings
import pytest
from resuming import Training, assert_same_tensors, options_of

from dl_architectures.nlp.training.language_model.__main__ import MODULE as LANGUAGE_MODEL
from dl_architectures.nlp.training.pictures.__main__ import MODULE as PICTURES
from dl_architectures.nlp.training.sentiment.__main__ import MODULE as SENTIMENT
from dl_shared.runs import read_history
from dl_shared.testing.kills import KILLS, survive
from dl_shared.testing.training import assert_same_reports

pytestmark = pytest.mark.skipif("DL_KILLS" not in os.environ, reason="`nox -s kills` asks for it")

CONFIGS = {
    LANGUAGE_MODEL: dataclasses.replace(nlp_trainings.LANGUAGE_MODEL, checkpoint_steps=1),
    PICTURES: dataclasses.replace(nlp_trainings.PICTURES, batch_size=400, checkpoint_steps=1),  # of the whole sample
    SENTIMENT: nlp_trainings.SENTIMENT,
}


@pytest.fixture(scope="module", params=CONFIGS)
def training(request):
    return Training(request.param, options_of(CONFIGS[request.param]))


@pytest.fixture(scope="module")
def whole(training, tmp_path_factory):
    """A run never stopped."""
    return training.whole(tmp_path_factory.mktemp("whole"))


def assert_same_end(run, reference):
    """The same written model, the same state of every stage, the same log and the same report."""
    assert_same_tensors(run, reference, "**/*.safetensors")
    assert read_history(run) == read_history(reference)
    assert_same_reports(run, reference)


@pytest.mark.parametrize("kills", KILLS)
def test_killed_at_random_moments_and_resumed_it_ends_the_same(training, tmp_path, whole, kills):
    survive(training, kills, tmp_path, whole, assert_same_end)
