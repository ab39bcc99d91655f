"""How long our streaming confusion matrix takes, against other ways to count: python tools/bench_metrics.py

Each number is a ratio of two times of the same round, the median over the rounds: 0.10 says that ours takes a tenth.

torchmetrics  update of MulticlassConfusionMatrix, which MulticlassJaccardIndex inherits, with its defaults
unchecked     the same with validate_args=False
mask first    bincount of target * C + pred over the pixels where target is not 255; nothing is checked
no mask       bincount of target * C + pred over all pixels: wrong where some are ignored, and nothing is checked
bincount      torch.bincount alone, on int64 cell numbers that somebody has made already: the floor
"""

import argparse
import sys
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
from torchmetrics.classification import MulticlassConfusionMatrix, MulticlassJaccardIndex

from course_lib.labels import IGNORE
from course_lib.metrics import Confusion

assert MulticlassJaccardIndex.update is MulticlassConfusionMatrix.update


def label_maps(shape, classes, dtype, ignored, device):
    """Truth in blocks of 32 px, a prediction that is right on about nine tenths of the pixels."""
    batch, height, width = shape
    coarse = torch.randint(0, classes, (batch, -(-height // 32), -(-width // 32)))

    def blocks(cells):
        return cells.repeat_interleave(32, 1).repeat_interleave(32, 2)[:, :height, :width]

    truth = blocks(coarse)
    pred = truth.where(torch.rand(shape) < 0.9, torch.randint(0, classes, shape))
    truth = truth.masked_fill(blocks(torch.rand(coarse.shape)) < ignored, IGNORE)
    return pred.to(device, dtype), truth.to(device, dtype)


def ways(pred, truth, classes):
    """{name: a function that counts these maps once}, ours first."""
    scores = Confusion(classes)
    checked, unchecked = (
        MulticlassConfusionMatrix(classes, ignore_index=IGNORE, validate_args=validate).to(pred.device)
        for validate in (True, False)
    )
    cells, every = classes**2, (truth.long() * classes + pred).flatten().clamp(max=classes**2 - 1)

    def mask_first():
        labelled = truth != IGNORE
        return torch.bincount(truth[labelled].long() * classes + pred[labelled], minlength=cells)

    expected = mask_first().reshape(classes, classes).cpu()
    assert torch.equal(Confusion(classes).update(pred, truth).matrix, expected)
    return {
        "ours": lambda: scores.update(pred, truth),
        "torchmetrics": lambda: checked.update(pred, truth),
        "unchecked": lambda: unchecked.update(pred, truth),
        "mask first": mask_first,
        "no mask": lambda: torch.bincount((truth.long() * classes + pred).flatten(), minlength=cells),
        "bincount": lambda: torch.bincount(every, minlength=cells),
    }


def seconds(count, device):
    """CPU time of one count, which other programs on the machine don't stretch; on a GPU, time by the clock."""
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    start = clock()
    count()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return clock() - start


def timed(counts, device):
    """{name: seconds of one count}."""
    return {name: seconds(count, device) for name, count in counts.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", type=int, nargs=3, default=(16, 512, 512), metavar=("N", "H", "W"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    worst, names = {}, None
    where = "one CPU thread" if args.device.type == "cpu" else args.device
    print(f"torch {torch.__version__}, {where}, maps of {' x '.join(map(str, args.shape))}; our time over that of")
    for classes in (3, 19, 21, 150):
        for dtype in (torch.uint8, torch.int64):
            for ignored in (0, 0.2):
                counts = ways(*label_maps(args.shape, classes, dtype, ignored, args.device), classes)
                for count in counts.values():
                    count()
                rounds = [timed(counts, args.device) for _ in range(args.rounds)]
                if names is None:
                    names = list(counts)[1:]
                    print("classes  dtype  ignored  ours (ms)  " + "  ".join(f"{name:>12}" for name in names))
                ratios = {name: median(r["ours"] / max(r[name], 1e-9) for r in rounds) for name in names}
                for name in names:
                    worst[name] = max(worst.get(name, 0), ratios[name])
                ours = 1000 * median(r["ours"] for r in rounds)
                beside = "  ".join(f"{ratios[name]:12.2f}" for name in names)
                print(f"{classes:7}  {str(dtype)[6:]:5}  {ignored:7.0%}  {ours:9.1f}  {beside}", flush=True)
    print(f"{'the worst':36}" + "  ".join(f"{worst[name]:12.2f}" for name in names))


if __name__ == "__main__":
    main()
