import numpy as np
import torch
from torch.nn.functional import pad

from graphstill.data.images.augment import as_floats, augmented, cropped
from graphstill.data.splits import stream


def choices(image, flips=(False, True)):
    """All that can become of one image [channels, height, width], cut out by hand: 81 positions, mirrored or not."""
    height, width = image.shape[1:]
    wide = pad(image, (4, 4, 4, 4))
    parts = [wide[:, top : top + height, left : left + width] for top in range(9) for left in range(9)]
    return torch.stack([part.flip(2) if flip else part for flip in flips for part in parts])


def some_images(count, *size, seed=0):
    return torch.randint(1, 256, (count, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def test_a_part_is_what_a_slice_of_the_padded_image_is():
    image = some_images(1, 3, 7, 10)
    offsets = torch.cartesian_prod(torch.arange(9), torch.arange(9)).repeat(2, 1)
    flipped = torch.arange(162) >= 81
    assert torch.equal(cropped(image.expand(162, -1, -1, -1), offsets, flipped), choices(image[0]))
    still = cropped(image, torch.tensor([[4, 4]]), torch.tensor([False]))
    assert torch.equal(still, image)


def test_each_image_is_moved_on_its_own_and_all_positions_are_as_likely():
    count = 16_200
    image = some_images(1, 1, 6, 6)
    found = augmented(image.expand(count, -1, -1, -1), "crop-flip", stream(0, "test"))
    same = (found.view(count, 1, -1) == choices(image[0]).view(1, 162, -1)).all(dim=2)
    assert same.sum(dim=1).tolist() == [1] * count
    times = same.sum(dim=0)  # 100 of each expected, with a deviation of 10
    assert int(times.min()) > 55 and int(times.max()) < 150
    assert 0.48 < int(times[81:].sum()) / count < 0.52  # five deviations
    corners = times.view(2, 9, 9).sum(dim=0)
    assert all(1600 < int(edge) < 2000 for edge in (*corners.sum(dim=0), *corners.sum(dim=1)))  # 1800 expected


def test_crops_alone_never_mirror_and_none_changes_nothing():
    images = some_images(300, 3, 5, 5)
    moved = augmented(images, "crop", stream(0, "test"))
    assert not torch.equal(moved, images)
    for image, found in zip(images, moved, strict=True):
        assert bool((choices(image, flips=[False]) == found).flatten(1).all(dim=1).any())
    assert augmented(images, "none", stream(0, "test")) is images


def test_positions_are_the_same_whether_images_are_mirrored_or_not():
    images = some_images(64, 3, 8, 8)
    moved, mirrored = (augmented(images, how, stream(5, "test")) for how in ("crop", "crop-flip"))
    same = (moved == mirrored).flatten(1).all(dim=1)
    assert torch.equal(torch.where(same[:, None, None, None], moved, moved.flip(3)), mirrored)
    assert 10 < int(same.sum()) < 54


def test_floats_are_scaled_and_shifted_by_channel():
    images = torch.tensor([0, 255, 51, 102], dtype=torch.uint8).view(1, 2, 1, 2)
    scale, shift = torch.tensor([1 / 255, 2 / 255])[:, None, None], torch.tensor([0.0, -1.0])[:, None, None]
    found = as_floats(images, scale, shift)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.view(-1), [0, 1, -0.6, -0.2], atol=1e-6)
    assert images.view(-1).tolist() == [0, 255, 51, 102]
