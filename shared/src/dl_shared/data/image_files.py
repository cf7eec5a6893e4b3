"""Single image files: decoded as they are for a data set, or fitted to a network's input for a prediction."""

import io
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from dl_shared.errors import InputError
from dl_shared.paths import user_path


def decode_image(
    encoded: bytes | Path, shape: tuple[int, int, int], where: str
) -> UInt8[np.ndarray, "height width channels"]:
    """Decode one image of exactly this size; colour becomes grey, or grey colour, when the shape says so.

    Raises:
        InputError: if it is damaged, or of another size; `where` names it in the message.
    """
    height, width, channels = shape
    try:
        with Image.open(io.BytesIO(encoded) if isinstance(encoded, bytes) else encoded) as image:
            size = image.size
            if size == (width, height):
                return np.asarray(image.convert("RGB" if channels == 3 else "L")).reshape(shape)
    except Exception:  # damaged images fail in every way there is
        raise InputError(f"{where} is not a readable image: the file is damaged or of another kind") from None
    raise InputError(
        f"{where} is {size[0]} x {size[1]} pixels, expected {width} x {height}: "
        "resize the images, or choose the data set they belong to"
    )


def read_image_files(
    paths: Sequence[str | Path], size: int, channels: int = 3
) -> UInt8[np.ndarray, "n size size channels"]:
    """Read image files of any size and kind, cropped to the middle square and resized.

    Transparent pixels become white, 16-bit greys are reduced to 8, and a photograph is turned as its camera says.

    Args:
        paths: any format that Pillow reads.
        size: height and width of the result in pixels.
        channels: 3 for colour, 1 for grey.

    Raises:
        InputError: if a file is missing, damaged or no image; the message names it.
    """
    images = np.empty((len(paths), size, size, channels), np.uint8)
    for row, path in enumerate(paths):
        images[row] = _fitted(user_path(path), size, channels)
    return images


def _fitted(path: Path, size: int, channels: int) -> UInt8[np.ndarray, "size size channels"]:
    if not path.is_file():
        raise InputError(f"{path} is a folder, give image files" if path.is_dir() else f"{path} does not exist")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = _middle_square(path)
            if image.mode.startswith("I"):  # 16 bits, which Pillow would clip at 255
                image = Image.fromarray((np.asarray(image).clip(0, 65535) // 257).astype(np.uint8))
            image = image.convert("RGBA" if image.has_transparency_data else "RGB" if channels == 3 else "L")
            fitted = image.resize((size, size), Image.Resampling.LANCZOS)
            if fitted.mode == "RGBA":
                fitted = Image.alpha_composite(Image.new("RGBA", fitted.size, "white"), fitted)
            fitted = fitted.convert("RGB" if channels == 3 else "L")
    except Exception:  # damaged images fail in every way there is
        raise InputError(f"{path} is not a readable image: the file is damaged or of another kind") from None
    return np.asarray(fitted).reshape(size, size, channels)


def _middle_square(path: Path) -> Image.Image:
    """Upright; of a large picture no more than one copy is made, and it is gone afterwards."""
    with Image.open(path) as image:
        ImageOps.exif_transpose(image, in_place=True)
        side = min(image.size)
        left, top = ((length - side) // 2 for length in image.size)
        return image.crop((left, top, left + side, top + side))
