"""Image files for a prediction: any size and kind comes out as the network's input."""

import numpy as np
import pytest
from PIL import Image

from dl_shared.data.image_files import read_image_files
from dl_shared.errors import InputError


def test_exact_size_is_left_as_it_is(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image_files([tmp_path / "a.png"], 32), pixels[None])


def test_middle_square_is_kept(tmp_path):
    wide = np.zeros((40, 120, 3), np.uint8)
    wide[:, 40:80] = (10, 200, 30)
    Image.fromarray(wide).save(tmp_path / "wide.png")
    (image,) = read_image_files([str(tmp_path / "wide.png")], 16)
    np.testing.assert_array_equal(image, np.broadcast_to((10, 200, 30), (16, 16, 3)))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"])
def test_every_mode_becomes_colour_or_grey(mode, tmp_path):
    image = Image.new("RGB", (50, 40), (255, 255, 255)).convert("L" if mode in ("I;16", "I", "F", "LA") else "RGB")
    if mode == "I;16":
        image = Image.fromarray(np.full((40, 50), 65535, np.uint16))
    elif mode == "I":
        image = Image.fromarray(np.full((40, 50), 65535, np.int32))
    else:
        image = image.convert(mode)
    file = tmp_path / "image.tiff"
    image.save(file)
    for channels in (1, 3):
        (read,) = read_image_files([file], 8, channels)
        assert read.shape == (8, 8, channels)
        assert read.min() >= 250


def test_transparent_becomes_white_and_cameras_are_obeyed(tmp_path):
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert read_image_files([tmp_path / "clear.png"], 4).min() == 255
    turned = Image.new("L", (20, 20))
    turned.paste(255, (0, 0, 20, 10))
    exif = turned.getexif()
    exif[0x0112] = 3  # upside down
    turned.save(tmp_path / "turned.jpg", exif=exif)
    (image,) = read_image_files([tmp_path / "turned.jpg"], 4, 1)
    assert image[0].max() < 50
    assert image[-1].min() > 200


def test_order_is_kept(tmp_path):
    for level in (10, 20, 30):
        Image.new("L", (5, 5), level).save(tmp_path / f"{level}.png")
    images = read_image_files([tmp_path / f"{level}.png" for level in (30, 10, 20)], 2, 1)
    assert images[:, 0, 0, 0].tolist() == [30, 10, 20]
    assert read_image_files([], 2).shape == (0, 2, 2, 3)


@pytest.mark.parametrize("kind", ["missing", "folder", "text", "cut", "bomb"])
def test_bad_files_are_named(kind, tmp_path, monkeypatch):
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((8, 8)).save(good)
    Image.fromarray(noise).save(bad)
    if kind == "missing":
        bad.unlink()
    elif kind == "folder":
        bad.unlink()
        bad.mkdir()
    elif kind == "text":
        bad.write_text("not an image")
    elif kind == "cut":
        bad.write_bytes(bad.read_bytes()[:2000])
    else:
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(InputError, match=r"bad\.png") as caught:
        read_image_files([good, bad], 8)
    assert "\n" not in str(caught.value)
