"""Speed of the network: extraction and one epoch of fine-tuning, against plain eager float32 torch in the same run.

    python benchmarks/deep.py [--rounds 5] [--threads 2] [--patches 1098] [--memory]

Plain means what a script would do: `network(batch)` with contiguous float32 images and batch normalisations as they
are, and a training loop over all layers. Every round runs every way in turn, so that a busy machine slows all alike;
printed are the best round of each and the ratio to plain. `--memory` streams 10,000 patches instead and prints the
memory of the process on the way. With `--cohort PATCHES.npz` (patches, y, g) it also prints what bfloat16 changes in
features and in the cross-validated macro AUC of a logistic regression on them.
"""

from __future__ import annotations

import argparse
import copy
import resource
from time import perf_counter, process_time

import numpy as np
import torch

from ovfrad.deep import weights
from ovfrad.deep.features import features, normalised, torch_threads
from ovfrad.deep.plan import Plan
from ovfrad.deep.precision import has_units
from ovfrad.deep.trainer import Trainer
from ovfrad.study.settings import Tune

SIZE = 64
BATCH = 32
EPOCH_ROWS = 750


def plain_features(network, patches):
    """Eager float32 extraction."""
    found = []
    with torch.inference_mode():
        for begun in range(0, len(patches), BATCH):
            found.append(network(torch.from_numpy(normalised(patches[begun : begun + BATCH], "zscore"))).numpy())
    return np.concatenate(found)


def plain_epoch(network, patches, codes):
    """Eager float32 training of all layers, one epoch."""
    network = copy.deepcopy(network).requires_grad_(True)
    head = torch.nn.Linear(2048, 3)
    optimiser = torch.optim.AdamW([*network.parameters(), *head.parameters()], lr=1e-5)
    loss = torch.nn.CrossEntropyLoss()
    for begun in range(0, len(codes), BATCH):
        images = torch.from_numpy(normalised(patches[begun : begun + BATCH], "zscore"))
        optimiser.zero_grad()
        loss(head(network(images)), torch.from_numpy(codes[begun : begun + BATCH])).backward()
        optimiser.step()


def our_epoch(backbone, patches, codes, stages, precision):
    """Our training loop, one epoch in which the backbone follows; setting up is not counted."""
    tune = Tune(epochs=1, frozen_share=0, stages=stages, precision=precision, augment=False, batch=BATCH)
    trainer = Trainer(patches, codes, backbone.network, Plan(tune, 3))
    return trainer.one_epoch


def timed(ways, rounds):
    """Best wall and processor seconds of each way, over rounds in which all take turns."""
    best = {name: [np.inf, np.inf] for name in ways}
    for _ in range(rounds):
        for name, prepare in ways.items():
            work = prepare()
            begun = perf_counter(), process_time()
            work()
            spent = perf_counter() - begun[0], process_time() - begun[1]
            best[name] = [min(a, b) for a, b in zip(best[name], spent, strict=True)]
    return best


def table(title, best, first):
    """Print seconds and ratios to the first way."""
    print(f"\n{title}\n{'':34s}{'wall s':>9s}{'ratio':>8s}{'cpu s':>9s}{'ratio':>8s}")
    for name, (wall, cpu) in best.items():
        print(f"{name:34s}{wall:9.2f}{best[first][0] / wall:8.2f}{cpu:9.2f}{best[first][1] / cpu:8.2f}")


def speed(arguments):
    """Print both tables."""
    rng, backbone = np.random.default_rng(0), weights.load("random")
    eager = copy.deepcopy(backbone.network).to(memory_format=torch.contiguous_format)
    patches = rng.random((arguments.patches, 3, SIZE, SIZE), dtype=np.float32)
    few, codes = patches[:EPOCH_ROWS], rng.integers(0, 3, min(EPOCH_ROWS, len(patches)))
    print(
        f"bfloat16 units: {'yes' if has_units() else 'no'}; threads {torch.get_num_threads()}; {len(patches)} patches"
    )
    ways = {
        "plain float32": lambda: lambda: plain_features(eager, patches),
        "features, float32 (default)": lambda: lambda: features(patches, backbone),
        "features, bfloat16": lambda: lambda: features(patches, backbone, precision="bfloat16"),
    }
    table(f"{len(patches)} patches to features", timed(ways, arguments.rounds), "plain float32")
    ways = {
        "plain float32, all layers": lambda: lambda: plain_epoch(eager, few, codes),
        "all layers, float32": lambda: our_epoch(backbone, few, codes, "all", "float32"),
        "all layers, bfloat16": lambda: our_epoch(backbone, few, codes, "all", "bfloat16"),
        "layer4 alone, bfloat16": lambda: our_epoch(backbone, few, codes, "last", "bfloat16"),
    }
    rounds = max(2, arguments.rounds // 2)
    table(f"One epoch of {len(few)} patches", timed(ways, rounds), "plain float32, all layers")


def memory():
    """Print the memory of the process while 10,000 patches stream through."""
    backbone, rng = weights.load("random"), np.random.default_rng(0)

    def stream():
        for n in range(10_000):
            if n in (500, 1_000, 5_000, 9_999):
                used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                print(f"after {n:6d} patches: peak {used:7.0f} MB", flush=True)
            yield rng.random((3, SIZE, SIZE), dtype=np.float32)

    found = features(stream(), backbone, precision="bfloat16")
    print(f"features themselves: {found.nbytes / 2**20:.0f} MB")


def bfloat16_changes(path):
    """Print the change of features and of a cross-validated AUC."""
    from sklearn.model_selection import StratifiedGroupKFold

    from ovfrad.evaluation.mean_auc import macro_auc
    from ovfrad.models.dense import DenseLogistic

    with np.load(path) as stored:
        patches, codes, groups = (stored[name] for name in ("patches", "y", "g"))
    patches = np.broadcast_to(patches, (len(patches), 3, *patches.shape[2:]))
    backbone = weights.load("random")
    both = {name: features(patches, backbone, precision=name) for name in ("float32", "bfloat16")}
    exact, rough = both["float32"], both["bfloat16"]
    spread = exact.std(axis=0)
    spread = spread[spread > 0]
    change = np.abs(rough - exact)
    moved = np.median(change.mean(0)[exact.std(0) > 0] / spread)
    print(f"largest change {change.max() / np.abs(exact).max():.2%} of the largest feature;")
    print(f"mean change of a feature, median over features: {moved:.3f} of its SD between vertebrae")
    for name, X in both.items():
        p = np.zeros((len(codes), codes.max() + 1))
        for train, test in StratifiedGroupKFold(5, shuffle=True, random_state=0).split(X, codes, groups):
            model = DenseLogistic(random_state=0).fit(X[train], codes[train], groups[train])
            p[test] = model.predict_proba(X[test])
        print(f"{name}: out-of-fold macro AUC {macro_auc(codes, p, groups).estimate:.4f}")


def main():
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--patches", type=int, default=1098)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--cohort")
    arguments = parser.parse_args()
    with torch_threads(arguments.threads):
        if arguments.memory:
            memory()
        elif arguments.cohort:
            bfloat16_changes(arguments.cohort)
        else:
            speed(arguments)


if __name__ == "__main__":
    main()
