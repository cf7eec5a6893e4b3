"""Options of fine-tuning that cannot work are refused by name."""

import pytest

from dl_shared.tasks.cifar10_config import FineTuningConfig


@pytest.mark.parametrize(
    "changes",
    [
        {"image_size": 16},
        {"augment": ("crop", "colour")},
        {"smallest_crop": 0.0},
        {"erase": 2.0},
        {"learning_rate": 0.0},
        {"weight_decay": -1.0},
        {"warmup": 1.0},
        {"label_smoothing": -0.1},
        {"backbone": ""},
        {"head_epochs": 99},
        {"layer_decay": 0.0},
        {"label_share": 1.5},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_options_that_cannot_work(changes):
    FineTuningConfig(epochs=2, batch_size=8)
    with pytest.raises(ValueError, match=next(iter(changes))):
        FineTuningConfig(epochs=2, batch_size=8, **changes)
