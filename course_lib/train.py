"""Train, predict and score: one plain PyTorch loop.

    torch.manual_seed(0)
    net = UNet(base=8)
    history = fit(net, scenes("train"), steps=400)
    print(evaluate(net, scenes("val", length=200)))

Images are float32 (B, 3, H, W), masks int64 (B, H, W) with 255 for pixels that have no label.
"""

import contextlib
import math
import os
import random
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch

from course_lib.losses import cross_entropy
from course_lib.metrics import Confusion
from course_lib.models.shapes import evaluating
from course_lib.notebook import bar, in_kernel, progress  # noqa: F401  train.progress is for notebooks
from course_lib.start.files import write_whole

SAVE_SECONDS = 10.0  # time between two checkpoints


# --- the machine --------------------------------------------------------------------------------------------


def device():
    """The fastest device here: CUDA, else Apple's MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def scale(cpu, gpu):
    """The first value on a CPU, the second where `device` finds a GPU: an experiment then grows without an edit."""
    return cpu if device().type == "cpu" else gpu


def precision(dev):
    """The dtype for mixed precision: bfloat16 where the GPU has it, else float16 on CUDA; None elsewhere (float32)."""
    if dev.type != "cuda":
        return None
    # Without the argument a T4 answers yes, and then emulates bfloat16 slowly.
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def seed_everything(seed):
    """Seed the generators of Python, NumPy and torch, so that what is drawn next (a new net's weights) repeats."""
    random.seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed % 2**32)
    torch.manual_seed(seed)


# --- batches ------------------------------------------------------------------------------------------------


def collate(items):
    """A list of (image, mask) -> images (B, 3, H, W), masks (B, H, W). ValueError: a target that is no single mask."""
    for _, target in items:
        if not isinstance(target, torch.Tensor):
            raise ValueError(
                "Training and scoring need one mask for each image and the data set gives a "
                f"{type(target).__name__}; ask for one target, such as scenes(target='trimap')."
            )
    return torch.stack([image for image, _ in items]), torch.stack([mask for _, mask in items])


class Batches(torch.utils.data.Dataset):
    """Step -> batch. A step's batch, and what its random transforms draw, follow from (seed, step) alone.

    dataset      map-style: dataset[i] -> (image, mask)
    steps        how many batches there are
    batch, seed  images in a batch, and another seed for other batches

    So a resumed run goes on as if it had never stopped, with any number of workers. Every item is seen once before
    any is seen twice.
    """

    def __init__(self, dataset, steps, batch, seed):
        self.dataset, self.steps, self.batch, self.seed = dataset, steps, batch, seed
        self.epoch, self.order = None, None

    def __len__(self):
        return self.steps

    def index(self, position):
        """Which item is the one at this position of the whole run."""
        epoch, place = divmod(position, len(self.dataset))
        if epoch != self.epoch:
            generator = torch.Generator().manual_seed(_mix(self.seed, epoch))
            self.epoch, self.order = epoch, torch.randperm(len(self.dataset), generator=generator).tolist()
        return self.order[place]

    def __getitem__(self, step):
        torch.default_generator.manual_seed(_mix(self.seed, step))
        start = step * self.batch
        return collate([self.dataset[self.index(p)] for p in range(start, start + self.batch)])


def _loading(dev, dataset, workers):
    """DataLoader's arguments for so many workers. None: up to four processes where a GPU would wait for scenes.

    Composing one takes a core 2 to 8 ms. A list has its pictures already; and elsewhere than on Linux a process that
    is not forked would have to import the notebook.
    """
    forks = sys.platform.startswith("linux")
    if workers is None:
        composed = dev.type == "cuda" and not isinstance(dataset, (list, tuple))
        workers = min(4, len(os.sched_getaffinity(0))) if composed and forks else 0
    return dict(num_workers=workers, multiprocessing_context="fork" if workers and forks else None)


def _mix(seed, number):
    """One seed from two numbers."""
    return (seed * 1_000_003 + number) % 2**63


# --- training -----------------------------------------------------------------------------------------------


def fit(
    net,
    dataset,
    steps=400,
    *,
    batch=8,
    lr=3e-3,
    seed=0,
    loss=cross_entropy,
    checkpoint=None,
    curve=True,
    title="",
    workers=None,
):
    """Train `net` in place on `dataset` for a number of steps with AdamW; returns a History.

    net         module: images (B, 3, H, W) -> logits (B, C, H, W); it moves to device() and stays there
    dataset     map-style: dataset[i] -> (image float32 (3, H, W), mask int64 (H, W))
    steps       batches to learn from, those of a resumed checkpoint included
    batch, lr   images in a batch, and AdamW's learning rate
    seed        decides the batches and their random transforms; the global generators are left as they were
    loss        function (logits, masks) -> scalar; such as those of course_lib.losses
    checkpoint  a file to save to as training goes, and to resume from: the result is that of an unbroken run
    curve       in a notebook, draw the loss while it falls
    title       what the progress bar and the curve say of this run
    workers     processes that load data; 0 loads it in this one; None takes some where a GPU would wait for pictures

    Tensors are channels_last everywhere, and on CUDA precision is mixed. ValueError: a bad argument, a batch that does
    not fit the net, or a checkpoint of something else. FloatingPointError: the loss is no longer a finite number.
    """
    for name, value in dict(steps=steps, batch=batch).items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a whole number of at least 1, not {value!r}.")
    if not lr > 0:
        raise ValueError(f"lr must be greater than 0, not {lr!r}.")
    if not len(dataset):
        raise ValueError("The data set is empty; fit needs at least one image.")
    dev = device()
    amp = precision(dev)
    net.to(dev, memory_format=torch.channels_last)  # 1.3 to 1.6 times faster, on two CPU cores as well
    weights = [p for p in net.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=lr, fused=dev.type in ("cpu", "cuda"))
    scaler = torch.amp.GradScaler("cuda", enabled=amp is torch.float16)
    history = History(title=title)
    name = getattr(loss, "__name__", repr(loss))
    settings = dict(net=repr(net), batch=batch, lr=lr, seed=seed, images=len(dataset), loss=name)
    if checkpoint and Path(checkpoint).exists():
        _load(checkpoint, settings, steps, net, optimizer, scaler, history)

    first = len(history.loss)
    batches = torch.utils.data.DataLoader(
        Batches(dataset, steps, batch, seed),
        batch_size=None,
        sampler=range(first, steps),
        pin_memory=dev.type == "cuda",
        **_loading(dev, dataset, workers),
    )
    began, saved = time.perf_counter() - history.seconds, time.perf_counter()
    was_training = net.training
    net.train()
    gpu = [dev] if dev.type == "cuda" else []
    with bar(steps, title or "training", first) as shown, torch.random.fork_rng(gpu):
        picture = _Curve(history, curve)
        for step, (images, masks) in enumerate(batches, first):
            torch.manual_seed(_mix(seed, step))  # for dropout and the like: this step's, however we got here
            images = images.to(dev, memory_format=torch.channels_last, non_blocking=True)
            with torch.autocast(dev.type, dtype=amp) if amp else contextlib.nullcontext():
                logits = net(images)
                value = loss(logits, masks.to(dev, non_blocking=True))
            if not math.isfinite(number := value.item()):
                raise FloatingPointError(
                    f"The loss is {number} at step {step + 1}; use a smaller lr than {lr:g}, and see that the images "
                    "are finite."
                )
            optimizer.zero_grad()
            scaler.scale(value).backward()
            scaler.step(optimizer)
            scaler.update()

            history.loss.append(number)
            history.seconds = time.perf_counter() - began
            shown.set_postfix_str(f"loss {number:.3f}", refresh=False)
            shown.update()
            picture.update()
            if checkpoint and (step + 1 == steps or time.perf_counter() - saved > SAVE_SECONDS):
                _save(checkpoint, settings, net, optimizer, scaler, history)
                saved = time.perf_counter()
        picture.update(last=True)
    net.train(was_training)
    return history


@dataclass
class History:
    """What a training run left: `.loss` of every step, `.steps` (1, 2, ...), `.seconds` it took, `.plot()`."""

    loss: list = field(default_factory=list)
    seconds: float = 0.0
    title: str = ""

    @property
    def steps(self):
        return list(range(1, len(self.loss) + 1))

    def plot(self):
        """The loss of each step and its running mean: a matplotlib Figure."""
        from course_lib.plot.scores import training

        return training(self.loss, self.title)

    def __repr__(self):
        span = f", loss {self.loss[0]:.3f} at first, {self.loss[-1]:.3f} at last" if self.loss else ""
        return f"History: {len(self.loss)} steps in {self.seconds:.1f} s{span}"


# --- checkpoints --------------------------------------------------------------------------------------------


def _save(path, settings, net, optimizer, scaler, history):
    """Whoever stops us, a whole checkpoint is there, old or new."""
    run = dict(settings=settings, loss=history.loss, seconds=history.seconds)
    states = dict(net=net.state_dict(), optimizer=optimizer.state_dict(), scaler=scaler.state_dict())

    def write(file):
        torch.save({**run, **states}, file)
        file.flush()
        os.fsync(file.fileno())  # a machine that goes down keeps it, too

    write_whole(Path(path), write)


def _load(path, settings, steps, net, optimizer, scaler, history):
    """Go on from a file of `_save`. ValueError where it holds something else, or a run that has gone further."""
    another = "delete it or use another file name"
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        was = saved["settings"]
    except OSError:
        raise
    except Exception as error:
        raise ValueError(f"{path} is not a checkpoint that fit wrote, or is damaged; {another}.") from error
    for name, value in settings.items():
        if was.get(name) != value:
            what = "another net" if name == "net" else f"{name} {was.get(name)} and not {value}"
            raise ValueError(f"The checkpoint {path} was made with {what}; {another}.")
    if (done := len(saved["loss"])) > steps:
        raise ValueError(f"The checkpoint {path} is at step {done}, past steps={steps}; ask for more steps, {another}.")
    net.load_state_dict(saved["net"])
    optimizer.load_state_dict(saved["optimizer"])
    scaler.load_state_dict(saved["scaler"])
    history.loss, history.seconds = saved["loss"], saved["seconds"]


# --- what is seen while it trains ---------------------------------------------------------------------------


class _Curve:
    """The loss curve under the cell, redrawn about once a second and for at most a twentieth of the time."""

    def __init__(self, history, wanted):
        self.history, self.handle, self.due = history, None, time.perf_counter() + 1
        self.wanted = wanted and in_kernel()

    def update(self, last=False):
        began = time.perf_counter()
        if not self.wanted or (began < self.due and not last) or not self.history.loss:
            return
        from IPython.display import display

        if self.handle:
            self.handle.update(self.history.plot())
        else:
            self.handle = display(self.history.plot(), display_id=True)
        now = time.perf_counter()
        self.due = now + max(1, 20 * (now - began))


# --- predicting and scoring ---------------------------------------------------------------------------------


def logits(net, images, batch=16):
    """What the net says of every pixel: images (N, 3, H, W) -> float32 (N, classes, H, W) on the CPU."""
    with evaluating(net) as dev:
        return torch.cat([net(part.to(dev)).float().cpu() for part in images.split(batch)])


def predict(net, images, batch=16):
    """The most likely class of every pixel: images (N, 3, H, W) -> int64 (N, H, W) on the CPU."""
    with evaluating(net) as dev:
        return torch.cat([net(part.to(dev)).argmax(1).cpu() for part in images.split(batch)])


def evaluate(net, dataset, n=None, batch=16):
    """The Confusion of `net` on the first `n` items of `dataset` (all by default): its .miou, .iou, .accuracy, ….

    Pixels labelled 255 do not count. ValueError where a mask holds a label that the net has no channel for.
    """
    n = len(dataset) if n is None else min(n, len(dataset))
    if n < 1:
        raise ValueError("There is nothing to score: the data set is empty or n is less than 1.")
    scores = None
    with evaluating(net) as dev:
        for start in range(0, n, batch):
            images, masks = collate([dataset[i] for i in range(start, min(start + batch, n))])
            logits = net(images.to(dev))
            scores = scores or Confusion(logits.shape[1], names=getattr(dataset, "classes", ()))
            scores.update(logits.argmax(1), masks.to(dev))
    return scores
