import re

import numpy as np
import pytest
import torch

from graphstill.errors import ConfigError, DataError
from tests.data.images import tiny


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 1}, "batch_size=1 of task 'custom': give a whole number from 2 up"),
        ({"batch_size": 8.0}, "batch_size=8.0 of task 'custom': give a whole number"),
        ({"val_per_class": 0}, "val_per_class=0 of task 'custom': the epoch is selected on validation images"),
        ({"val_per_class": -1}, "val_per_class=-1"),
        ({"per_class": 0}, "per_class=0 of task 'custom': give a whole number from 1 up"),
        ({"classes": 1}, "classes=1 of task 'custom': give a whole number from 2 up"),
        ({"augment": "crop_flip"}, "augment='crop_flip' of task 'custom'; did you mean 'crop-flip'?"),
        ({"seed": -1}, "seed -1 of the classes of images"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        tiny.task(options)


@pytest.mark.parametrize(
    ("options", "changes", "message"),
    [
        ({"classes": 4}, {}, "classes=4 of task 'custom', which has 3: give 2 to 3"),
        ({"per_class": 10}, {}, "class '0' of task 'custom' has 12 training and 4 test images: val_per_class=3 and "),
        ({"val_per_class": 12}, {}, "need 13 and 1 at least; lower them"),
        ({}, {"train": np.zeros((36, 8, 8, 3))}, "training images of custom are float64 [36, 8, 8, 3]: give bytes"),
        ({}, {"train": np.zeros((36, 8, 8, 2), np.uint8)}, "[36, 8, 8, 2]: give bytes"),
        ({}, {"test": np.zeros((12, 8), np.uint8)}, "test images of custom are uint8 [12, 8]"),
        ({}, {"test": np.zeros((0, 8, 8, 3), np.uint8)}, "test images of custom: there are none"),
        ({}, {"test": np.zeros((12, 8, 9, 3), np.uint8)}, "are 3x8x8 and 3x8x9 (channels x height x width)"),
        ({}, {"train_labels": np.zeros(35, int)}, "training labels of custom are int64 [35] for 36 images"),
        ({}, {"train_labels": np.zeros(36)}, "training labels of custom are float64 [36]"),
        ({}, {"train_labels": np.arange(36) - 1}, "label -1 among the training labels of custom, which has 35 classes"),
        ({}, {"train_labels": np.arange(36) + 1}, "label 36 among the 36 training labels of custom"),
        ({}, {"test_labels": np.full(12, 3)}, "label 3 among the test labels of custom, which has 3 classes"),
        ({}, {"test_labels": np.arange(12) % 2}, "class '2' of task 'custom' has 12 training and 0 test images"),
        ({}, {"train_labels": np.arange(36) % 3 * 2}, "class '1' of task 'custom' has 0 training"),
    ],
)
def test_images_that_cannot_be_learnt_from_are_refused(options, changes, message):
    with pytest.raises(DataError, match=re.escape(message)):
        tiny.task(options, **changes)


def test_tensors_do_as_well_as_arrays():
    given = tiny.arrays()
    tensors = {key: torch.from_numpy(value) for key, value in given.items()}
    assert tiny.task(None, **tensors).hash == tiny.task(None, **given).hash
