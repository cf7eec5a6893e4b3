"""Time and peak memory of loading images: `python benchmarks/data_loading.py PATH [DATASET]`.

Cold decodes every file into an empty cache, warm reads the cache; each in a process of its own, so that peak memory is
that of loading alone. Ends with the pixel baseline on the same images.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time


def load(source: str, dataset: str) -> None:
    """Load in this process, and print what it took beyond the imports."""
    from dl_shared.data.images import load_images

    peak_unit = 1 if sys.platform == "darwin" else 1024
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * peak_unit
    start, cpu_start = time.perf_counter(), time.process_time()
    loaded = load_images(source, dataset)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    decoded = loaded.train.images.nbytes + loaded.test.images.nbytes
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * peak_unit - before
    print(
        f"{len(loaded.train) + len(loaded.test):,} images in {seconds:.2f} s ({cpu_seconds:.2f} s of CPU), "
        f"peak memory {grown / decoded:.2f} x the {decoded / 2**20:.0f} MiB decoded"
    )


def baseline(source: str, dataset: str) -> None:
    """Fit logistic regression on the training part, and print its test accuracy."""
    from dl_shared.metrics.classification import score
    from dl_shared.tasks import cifar10

    data = cifar10.load(source, seed=0, dataset=dataset)
    start = time.perf_counter()
    probabilities = cifar10.pixel_probabilities(data.train, data.test.images, len(data.class_names))
    seconds = time.perf_counter() - start
    scores = score(data.test.labels, probabilities)
    low, high = scores["accuracy_ci"]
    print(f"accuracy {scores['accuracy']:.4f} ({low:.4f} to {high:.4f}), {len(data.train):,} images in {seconds:.1f} s")


def main() -> None:
    """Run cold, warm and baseline one after the other on an empty cache."""
    source, dataset = sys.argv[1], (sys.argv[2:] or ["cifar10"])[0]
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "DL_CACHE_DIR": cache}
        for label, step in (("cold", "load"), ("warm", "load"), ("pixel baseline", "baseline")):
            print(f"{label}: ", end="", flush=True)
            command = [sys.executable, __file__, "--step", step, source, dataset]
            subprocess.run(command, env=environment, check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--step"]:
        {"load": load, "baseline": baseline}[sys.argv[2]](*sys.argv[3:])
    elif len(sys.argv) < 2:
        sys.exit("usage: python benchmarks/data_loading.py PATH [cifar10|mnist|fashion_mnist]")
    else:
        main()
