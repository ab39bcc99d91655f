"""What a GPU brings to the course's training: python tools/bench_gpu.py   (without a GPU: a tiny form, to see it run)

Prints, in Markdown, for the device that it runs on:

training step   images a second of the loop body of course_lib.train.fit (forward, cross-entropy, backward, AdamW) on a
                batch that is on the device already, for our U-Net as `fit` trains it (mixed precision, channels_last)
                and plain (float32, contiguous), and for networks of like size, in both ways
peak            the share of what one large matrix product reaches here in the same precision: of the operations that
                the step's convolutions and products need, forward and backward; what normalisation costs is not counted
time to mIoU    seconds of `fit`, loading included, until the U-Net has a stated mIoU on Menagerie's validation split
"""

import argparse
import contextlib
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import segmentation_models_pytorch as smp
import torch
import torchvision
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import segmentation

from course_lib import data, models, train

CLASSES = 3
FULL = dict(size=256, batch=32, steps=20, rounds=5, matrix=8192)
FULL |= dict(miou=0.70, train_size=128, most=6000, every=200, base=32)
TINY = dict(size=64, batch=2, steps=1, rounds=2, matrix=256)
TINY |= dict(miou=0.30, train_size=32, most=60, every=20, base=8)


class Out(torch.nn.Module):
    """torchvision's networks return a dict; its "out" is what is trained."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, images):
        return self.net(images)["out"]


def networks(tiny):
    """{name: a function that makes it}, ours first; of like size, and untrained, so that nothing is downloaded."""
    theirs = dict(weights=None, weights_backbone=None, num_classes=CLASSES)
    smps = dict(encoder_weights=None, classes=CLASSES)
    if tiny:
        return {
            "our U-Net, base 8": lambda: models.UNet(classes=CLASSES, base=8),
            "segmentation-models-pytorch's Unet, ResNet-18": lambda: smp.Unet("resnet18", **smps),
            "torchvision's LR-ASPP": lambda: Out(segmentation.lraspp_mobilenet_v3_large(**theirs)),
        }
    return {
        "our U-Net, base 64": lambda: models.UNet(classes=CLASSES, base=64),
        "segmentation-models-pytorch's Unet, ResNet-50": lambda: smp.Unet("resnet50", **smps),
        "torchvision's FCN, ResNet-50": lambda: Out(segmentation.fcn_resnet50(**theirs)),
    }


def wait(dev):
    if dev.type == "cuda":
        torch.cuda.synchronize()
    elif dev.type == "mps":
        torch.mps.synchronize()


def step_of(net, dev, amp, channels_last, images, masks):
    """The loop body of train.fit as a function without arguments."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    net.to(dev, memory_format=layout).train()
    images, masks = images.to(dev, memory_format=layout), masks.to(dev)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-4, fused=dev.type in ("cpu", "cuda"))
    scaler = torch.amp.GradScaler("cuda", enabled=amp is torch.float16)

    def step():
        with torch.autocast(dev.type, dtype=amp) if amp else contextlib.nullcontext():
            value = train.cross_entropy(net(images), masks)
        optimizer.zero_grad()
        scaler.scale(value).backward()
        scaler.step(optimizer)
        scaler.update()

    return step


def seconds_of(work, dev, rounds, times):
    """The median over the rounds of the seconds that one call takes; warmed up first."""
    for _ in range(3):
        work()
    taken = []
    for _ in range(rounds):
        wait(dev)
        began = time.perf_counter()
        for _ in range(times):
            work()
        wait(dev)
        taken.append((time.perf_counter() - began) / times)
    return median(taken)


def peak(dev, dtype, n, rounds):
    """Operations a second of an n by n matrix product, the best that this device does in this precision."""
    a, b = (torch.randn(n, n, device=dev, dtype=dtype) for _ in range(2))
    return 2 * n**3 / seconds_of(lambda: a @ b, dev, rounds, 10)


def steps_table(dev, given, tiny, say):
    """The table of training steps."""
    amp = train.precision(dev) or (torch.bfloat16 if tiny else None)
    best = {dtype: peak(dev, dtype, given["matrix"], given["rounds"]) for dtype in {torch.float32, amp} - {None}}
    speeds = ", ".join(f"{v / 1e12:.3g} TFLOP/s in {str(k)[6:]}" for k, v in best.items())
    say(f"A matrix product of {given['matrix']}² reaches {speeds}.\n")
    say("| network | parameters | way | images a second | ms a step | share of the peak | memory |")
    say("|---|---|---|---|---|---|---|")
    images = torch.rand(given["batch"], 3, given["size"], given["size"])
    masks = torch.randint(0, CLASSES, (given["batch"], given["size"], given["size"]))
    rates = {}
    ways = ("mixed precision, channels_last", amp, True), ("float32, contiguous", None, False)
    for name, make in networks(tiny).items():
        for way, dtype, channels_last in ways:
            if dev.type == "cuda":
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
            torch.manual_seed(0)
            net = make()
            step = step_of(net, dev, dtype, channels_last, images, masks)
            with FlopCounterMode(display=False) as counter:
                step()
            seconds = seconds_of(step, dev, given["rounds"], given["steps"])
            rates[name, way] = given["batch"] / seconds
            share = counter.get_total_flops() / seconds / best[dtype or torch.float32]
            memory = f"{torch.cuda.max_memory_allocated() / 1e9:.1f} GB" if dev.type == "cuda" else ""
            size, step_ms = f"{models.count_parameters(net) / 1e6:.1f} M", f"{1e3 * seconds:.1f}"
            say(f"| {name} | {size} | {way} | {rates[name, way]:,.1f} | {step_ms} | {share:.0%} | {memory} |")
            del net, step
    ours = [rate for (name, _), rate in rates.items() if name.startswith("our")]
    say(f"\nMixed precision and channels_last: {ours[0] / ours[1]:.2f} times the images a second of plain float32.")
    return rates


def time_to_miou(dev, given, say):
    """Seconds of training until the U-Net reaches the stated mIoU on 200 scenes of the validation split, or None."""
    torch.manual_seed(0)
    net = models.UNet(classes=CLASSES, base=given["base"])
    seen = data.scenes("train", given["train_size"], length=4000)
    unseen = data.scenes("val", given["train_size"], length=200)
    what = f"U-Net of base {given['base']}, trimaps of {given['train_size']}², batches of 8"
    goal = f"\nmIoU {given['miou']:.2f} on Menagerie's validation split ({what})"
    with tempfile.TemporaryDirectory() as folder:
        for steps in range(given["every"], given["most"] + 1, given["every"]):
            history = train.fit(net, seen, steps=steps, checkpoint=Path(folder, "run"), curve=False)
            reached = train.evaluate(net, unseen).miou
            if reached >= given["miou"]:
                say(f"{goal} after {steps} steps and {history.seconds:.1f} s.")
                return history.seconds
    say(f"{goal} was not reached in {given['most']} steps and {history.seconds:.1f} s: {reached:.3f}.")
    return None


def main(arguments=None, say=print):
    parser = argparse.ArgumentParser(description="Training on this machine's GPU, measured.")
    parser.add_argument("--tiny", action="store_true", help="the small form, which a CPU gets anyway")
    for name, value in FULL.items():
        instead = f"instead of {value} ({TINY[name]} in the tiny form)"
        parser.add_argument("--" + name.replace("_", "-"), type=type(value), help=instead)
    options = vars(parser.parse_args(arguments))
    dev = train.device()
    tiny = options.pop("tiny") or dev.type == "cpu"
    given = {**(TINY if tiny else FULL), **{name: value for name, value in options.items() if value is not None}}
    name = torch.cuda.get_device_name() if dev.type == "cuda" else {"mps": "Apple's GPU", "cpu": "CPU"}[dev.type]
    say(f"## {name}\n")
    if dev.type == "cpu":
        say(
            "No GPU: this is the tiny form on the CPU. It shows that the benchmark runs; its numbers say nothing about "
            "a GPU.\n"
        )
    elif tiny:
        say("This is the tiny form. It shows that the benchmark runs; its numbers say nothing about speed.\n")
    tf32 = f", convolutions in TF32: {'yes' if torch.backends.cudnn.allow_tf32 else 'no'}" if dev.type == "cuda" else ""
    say(
        f"torch {torch.__version__}, torchvision {torchvision.__version__}; float32 as torch does it unasked{tf32}. "
        f"Pictures of {given['size']}², batches of {given['batch']}, median of {given['rounds']} rounds of "
        f"{given['steps']} steps.\n"
    )
    steps_table(dev, given, tiny, say)
    time_to_miou(dev, given, say)


if __name__ == "__main__":
    main()
