"""The same few images, written in each layout that people have CIFAR-10 and MNIST in."""

import csv
import gzip
import io
import json
import pickle
import struct
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from dl_shared.data.image_sets import IMAGE_SETS, Split

CIFAR = IMAGE_SETS["cifar10"]


def make_parts(shape=(32, 32, 3), train=40, test=20, seed=0):
    """Random images; every class occurs equally often in both parts."""
    rng = np.random.default_rng(seed)
    return tuple(
        Split(rng.integers(0, 256, (n, *shape), dtype=np.uint8), rng.permutation(np.arange(n) % 10))
        for n in (train, test)
    )


def png(image):
    buffer = io.BytesIO()
    Image.fromarray(image.squeeze()).save(buffer, "PNG")
    return buffer.getvalue()


def write_parquet(folder, parts, *, image="img", features=True, plain_bytes=False):
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in zip(("train", "test"), parts, strict=True):
        cells = [png(pixels) for pixels in part.images]
        column = cells if plain_bytes else [{"bytes": cell, "path": None} for cell in cells]
        table = pa.table({image: column, "label": part.labels})
        if features:
            label = {"names": list(CIFAR.class_names), "_type": "ClassLabel"}
            info = {"info": {"features": {image: {"_type": "Image"}, "label": label}}}
            table = table.replace_schema_metadata({"huggingface": json.dumps(info)})
        pq.write_table(table, folder / f"{name}-00000-of-00001.parquet", row_group_size=7)
    return folder


def binary_batch(part):
    planes = part.images.transpose(0, 3, 1, 2).reshape(len(part), -1)
    return np.concatenate([part.labels.astype(np.uint8)[:, None], planes], axis=1).tobytes()


def python_batch(part, protocol=2, keys=bytes):
    planes = part.images.transpose(0, 3, 1, 2).reshape(len(part), -1).copy()
    names = {
        "data": planes,
        "labels": part.labels.tolist(),
        "batch_label": "training batch 1 of 5",
        "filenames": ["a.png"],
    }
    return pickle.dumps({(key.encode() if keys is bytes else key): value for key, value in names.items()}, protocol)


def batches(parts, encode, suffix):
    train, test = parts
    fifths = {
        f"data_batch_{number}{suffix}": encode(train.rows(rows))
        for number, rows in enumerate(np.array_split(np.arange(len(train)), 5), start=1)
    }
    return {**fifths, f"test_batch{suffix}": encode(test)}


def write_binary(folder, parts):
    folder.mkdir(parents=True, exist_ok=True)
    for name, raw in batches(parts, binary_batch, ".bin").items():
        (folder / name).write_bytes(raw)
    (folder / "batches.meta.txt").write_text("\n".join(CIFAR.class_names))
    return folder


def write_python(folder, parts, **options):
    folder.mkdir(parents=True, exist_ok=True)
    for name, raw in batches(parts, lambda part: python_batch(part, **options), "").items():
        (folder / name).write_bytes(raw)
    return folder


def write_archive(file, parts, kind):
    file.parent.mkdir(parents=True, exist_ok=True)
    encode, suffix = {"binary": (binary_batch, ".bin"), "python": (python_batch, "")}[kind]
    folder = {"binary": "cifar-10-batches-bin", "python": "cifar-10-batches-py"}[kind]
    with tarfile.open(file, "w:gz") as archive:
        for name, raw in reversed(batches(parts, encode, suffix).items()):  # archives come in any order
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(raw)
            archive.addfile(member, io.BytesIO(raw))
    return file


def idx(array):
    header = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8).tobytes()


def write_idx(folder, parts, *, compress=True, pattern="{part}-{what}-idx{axes}-ubyte"):
    folder.mkdir(parents=True, exist_ok=True)
    for part, split in zip(("train", "t10k"), parts, strict=True):
        for what, array in (("images", split.images.squeeze(-1)), ("labels", split.labels)):
            name = pattern.format(part=part, what=what, axes=array.ndim)
            raw = idx(array)
            if compress:
                (folder / f"{name}.gz").write_bytes(gzip.compress(raw))
            else:
                (folder / name).write_bytes(raw)
    return folder


def write_folders(folder, parts, names=CIFAR.class_names, part_names=("train", "test")):
    for part_name, part in zip(part_names, parts, strict=True):
        for row, (image, label) in enumerate(zip(part.images, part.labels, strict=True)):
            target = folder / part_name / names[label] / f"{row:05}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(png(image))
    return folder


def write_kaggle(folder, part, unlabelled=0):
    (folder / "train").mkdir(parents=True)
    with (folder / "trainLabels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "label"])
        for row, (image, label) in enumerate(zip(part.images, part.labels, strict=True), start=1):
            (folder / "train" / f"{row}.png").write_bytes(png(image))
            writer.writerow([row, CIFAR.class_names[label]])
    if unlabelled:
        (folder / "test").mkdir()
    for row in range(unlabelled):
        (folder / "test" / f"{row}.png").write_bytes(png(part.images[0]))
    return folder
