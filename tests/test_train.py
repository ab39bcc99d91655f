"""The training loop, prediction and scores, on pictures that take no time to make."""

import io
import os
import pickle
import subprocess
import sys
import textwrap

import pytest
import torch
import torch.nn as nn

from course_lib import losses, train
from course_lib.models import UNet
from course_lib.train import Batches, History, device, evaluate, fit, logits, precision, predict, scale, seed_everything
from tests.support.processes import PATIENCE


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Nets this small gain nothing from threads, and lose much to them where cores are shared."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Discs(torch.utils.data.Dataset):
    """A bright disc on noise; class 1 inside. Some pixels have no label. With `jitter`, items draw from torch's RNG."""

    classes = ("ground", "disc")

    def __init__(self, length=12, size=16, jitter=False, stop_at=None):
        self.length, self.size, self.jitter, self.stop_at, self.drawn = length, size, jitter, stop_at, []

    def __len__(self):
        return self.length

    def __getitem__(self, i):
        self.drawn.append(i)
        if self.stop_at is not None and len(self.drawn) > self.stop_at:
            raise KeyboardInterrupt
        g = torch.Generator().manual_seed(i)
        y, x = torch.meshgrid(torch.arange(self.size), torch.arange(self.size), indexing="ij")
        cy, cx = torch.randint(4, self.size - 4, (2,), generator=g)
        mask = ((y - cy) ** 2 + (x - cx) ** 2 <= 16).long()
        image = 0.3 * torch.rand(3, self.size, self.size, generator=g) + 0.5 * mask
        if self.jitter:
            image = image + 0.1 * torch.rand(1)
        mask[0] = 255
        return image, mask


def small(seed=0, **kwargs):
    torch.manual_seed(seed)
    return UNet(classes=2, base=4, depth=2, **kwargs)


def same(a, b):
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[k].cpu(), b[k].cpu()) for k in a)


# --- the machine --------------------------------------------------------------------------------------------


def test_device_and_scale(monkeypatch):
    assert device().type in ("cuda", "mps", "cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert device() == torch.device("cpu") and scale(1, 2) == 1 and scale(cpu=(64, 400), gpu=(128, 900)) == (64, 400)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert device() == torch.device("mps") and scale(1, 2) == 2
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device() == torch.device("cuda") and scale(1, 2) == 2


def test_precision(monkeypatch):
    assert precision(torch.device("cpu")) is None and precision(torch.device("mps")) is None
    for has, dtype in ((True, torch.bfloat16), (False, torch.float16)):  # an A100, a T4
        monkeypatch.setattr(
            torch.cuda, "is_bf16_supported", lambda including_emulation=True: has or including_emulation
        )
        assert precision(torch.device("cuda")) == dtype


def test_seed_everything():
    import random

    import numpy as np

    draws = []
    for _ in range(2):
        seed_everything(7)
        draws.append((random.random(), np.random.rand(), torch.rand(1).item()))
    assert draws[0] == draws[1]


# --- fit ----------------------------------------------------------------------------------------------------


def test_fit_learns_and_returns_what_it_promises():
    net, data = small(), Discs()
    history = fit(net, data, steps=60, batch=4, lr=1e-2)
    assert isinstance(history, History) and history.steps == list(range(1, 61)) and len(history.loss) == 60
    assert history.seconds > 0 and "60 steps" in repr(history)
    assert sum(history.loss[-10:]) < 0.5 * sum(history.loss[:10])
    assert evaluate(net, data).miou > 0.85
    assert net.training
    figure = history.plot()
    assert figure.axes[0].get_xlabel() == "step" and figure.axes[0].get_ylabel() == "loss"


@pytest.mark.parametrize("jitter", [False, True])
def test_same_seed_same_weights_and_the_callers_generator_untouched(jitter):
    nets, losses, states = [small(), small(), small()], [], []
    for net, seed, noise in zip(nets, (3, 3, 4), (1, 2, 3)):
        torch.manual_seed(noise)  # what the caller's generator holds must not matter
        before = torch.get_rng_state()
        losses.append(fit(net, Discs(jitter=jitter), steps=6, batch=4, seed=seed).loss)
        states.append(torch.equal(before, torch.get_rng_state()))
    assert losses[0] == losses[1] and same(nets[0], nets[1])
    assert losses[0] != losses[2] and not same(nets[0], nets[2])
    assert all(states)


def test_dropout_follows_the_seed_too():
    def net():
        return nn.Sequential(small(), nn.Dropout(0.5))

    runs = []
    for noise in (1, 2):
        model = net()
        torch.manual_seed(noise)
        runs.append(fit(model, Discs(), steps=4, batch=2).loss)
    assert runs[0] == runs[1]


def test_every_item_once_before_any_twice():
    data = Discs(length=10)
    batches = Batches(data, 5, 4, seed=1)
    for step in range(5):
        images, masks = batches[step]
        assert images.shape == (4, 3, 16, 16) and masks.shape == (4, 16, 16) and masks.dtype == torch.int64
    assert sorted(data.drawn[:10]) == sorted(data.drawn[10:]) == list(range(10))
    assert data.drawn[:10] != data.drawn[10:]
    data.drawn.clear()
    batches[3], batches[1]  # in any order
    again = data.drawn[:4]
    batches[3]
    assert data.drawn[8:] == again


def test_small_data_sets_and_workers():
    assert len(fit(small(), Discs(length=3), steps=3, batch=8).loss) == 3
    here, there = (nn.Sequential(small(), nn.Dropout(0.5)) for _ in range(2))
    alone = fit(here, Discs(jitter=True), steps=3, batch=4)
    helped = fit(there, Discs(jitter=True), steps=3, batch=4, workers=1)
    assert alone.loss == helped.loss and same(here, there)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere processes are not forked")
def test_a_gpu_gets_processes_that_load_and_a_cpu_keeps_its_cores():
    cores = min(4, len(os.sched_getaffinity(0)))
    gpu, cpu = torch.device("cuda"), torch.device("cpu")
    assert train._loading(gpu, Discs(), None) == dict(num_workers=cores, multiprocessing_context="fork")
    none = dict(num_workers=0, multiprocessing_context=None)
    assert train._loading(gpu, [Discs()[0]], None) == train._loading(cpu, Discs(), None) == none
    assert train._loading(gpu, Discs(), 0) == none
    assert train._loading(cpu, Discs(), 2)["num_workers"] == 2


def test_a_batch_without_labels_teaches_nothing_and_does_no_harm():
    class SomeIgnored(Discs):
        def __getitem__(self, i):
            image, mask = super().__getitem__(i)
            return image, mask if i % 3 == 0 else torch.full_like(mask, 255)

    net = small()
    history = fit(net, SomeIgnored(), steps=12, batch=1)
    assert history.loss.count(0) == 8 and all(p.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize("loss", [losses.cross_entropy, losses.dice_loss, losses.focal_loss, losses.ce_dice])
def test_every_loss_of_the_library_trains(loss):
    net, data = small(), Discs()
    history = fit(net, data, steps=40, batch=4, lr=1e-2, loss=loss)
    assert sum(history.loss[-5:]) < 0.7 * sum(history.loss[:5]) and evaluate(net, data).miou > 0.7


def test_the_default_loss_is_the_librarys_cross_entropy():
    assert train.cross_entropy is losses.cross_entropy
    history = fit(small(), Discs(), steps=3, batch=2)
    assert history.loss == fit(small(), Discs(), steps=3, batch=2, loss=losses.cross_entropy).loss


def test_own_loss_and_frozen_weights():
    seen = []

    def loss(logits, masks):
        seen.append((logits.shape, masks.dtype))
        return logits.square().mean()

    net = small()
    net.encoder[0].requires_grad_(False)
    before = net.encoder[0][0].weight.clone()
    fit(net, Discs(), steps=2, batch=2, loss=loss)
    assert seen == [((2, 2, 16, 16), torch.int64)] * 2
    assert torch.equal(net.encoder[0][0].weight, before)


def test_mixed_precision(monkeypatch):
    monkeypatch.setattr(train, "device", lambda: torch.device("cpu"))
    monkeypatch.setattr(train, "precision", lambda dev: torch.bfloat16)
    kinds = set()
    net = small()
    net.register_forward_hook(lambda m, i, o: kinds.add(o.dtype))
    history = fit(net, Discs(), steps=40, batch=4, lr=1e-2)
    assert kinds == {torch.bfloat16} and {p.dtype for p in net.parameters()} == {torch.float32}
    assert sum(history.loss[-5:]) < 0.6 * sum(history.loss[:5])


@pytest.mark.skipif(device().type == "cpu", reason="needs a GPU")
def test_on_a_gpu():
    net = small()
    history = fit(net, Discs(), steps=60, batch=4, lr=1e-2)
    assert next(net.parameters()).device.type == device().type and history.loss[-1] < history.loss[0]
    assert predict(net, torch.rand(3, 3, 16, 16)).device.type == "cpu"
    assert evaluate(net, Discs()).matrix.device.type == "cpu"


def test_quiet_in_scripts(capfd):
    fit(small(), Discs(), steps=2, batch=2)
    assert capfd.readouterr() == ("", "")
    code = """
        import sys, torch, course_lib.train as t
        class Eye:
            def __len__(self): return 4
            def __getitem__(self, i): return torch.rand(3, 4, 4), torch.ones(4, 4).long()
        before = set(sys.modules)
        t.fit(torch.nn.Conv2d(3, 2, 1), Eye(), steps=2, batch=2)
        print(sorted({m.split(".")[0] for m in set(sys.modules) - before} & {"IPython", "matplotlib", "torchmetrics"}))
    """
    done = subprocess.run([sys.executable, "-W", "error", "-c", textwrap.dedent(code)], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_on_a_terminal(monkeypatch, capfd):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    fit(small(), Discs(), steps=3, batch=2, title="a title")
    assert "a title" in terminal.getvalue() and "3/3" in terminal.getvalue() and ", loss " in terminal.getvalue()
    assert list(train.progress([4, 5], "a loop")) == [4, 5]
    assert "a loop" in terminal.getvalue() and "2/2" in terminal.getvalue()
    assert capfd.readouterr().err == ""


def test_in_a_notebook():
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    code = """
        import torch, sys
        from course_lib import train
        torch.set_num_threads(1)
        class Slow:
            def __len__(self): return 4
            def __getitem__(self, i):
                import time; time.sleep(0.12)
                return torch.rand(3, 4, 4), torch.ones(4, 4).long()
        history = train.fit(torch.nn.Conv2d(3, 2, 1), Slow(), steps=6, batch=2, title="a title")
    """
    still = """train.fit(torch.nn.Conv2d(3, 2, 1), Slow(), steps=2, batch=1, curve=False)
for item in train.progress("ab", "a loop"):
    print(item)"""
    cells = [nbformat.v4.new_code_cell(text) for text in (textwrap.dedent(code), still)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, timeout=PATIENCE, kernel_name="python3").execute()
    first, second = (cell.outputs for cell in notebook.cells)
    assert not [o for o in first + second if o.output_type == "stream" and o.name == "stderr"]
    pictures = [o for o in first if "image/png" in o.get("data", {})]
    assert len(pictures) == 1 and pictures[0].output_type == "display_data"
    # where a bar has ended, its last line stands: a saved page has no widgets
    assert not [o for o in first + second if "application/vnd.jupyter.widget-view+json" in o.get("data", {})]
    [bar] = [o.data["text/plain"] for o in first if "a title" in o.get("data", {}).get("text/plain", "")[:9]]
    assert bar.startswith("a title: 100%")
    assert not [o for o in second if "image/png" in o.get("data", {})]
    loops = [o.data["text/plain"] for o in second if "100%" in o.get("data", {}).get("text/plain", "")]
    assert len(loops) == 2 and "a loop" in loops[1]


# --- checkpoints --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jitter", [False, True])
def test_a_resumed_run_equals_an_unbroken_one(tmp_path, monkeypatch, jitter):
    monkeypatch.setattr(train, "SAVE_SECONDS", 0)
    path = tmp_path / "new" / "run.pt"
    whole, broken = small(), small()
    unbroken = fit(whole, Discs(jitter=jitter), steps=9, batch=4)
    for stop_at in (14, 17):  # three whole batches, then four more and a bit
        with pytest.raises(KeyboardInterrupt):
            fit(broken, Discs(jitter=jitter, stop_at=stop_at), steps=9, batch=4, checkpoint=path)
        assert [p.name for p in path.parent.iterdir()] == ["run.pt"]
        broken = small(seed=9)  # a new session: other weights, other generator
    resumed = fit(broken, Discs(jitter=jitter), steps=9, batch=4, checkpoint=path)
    assert resumed.loss == unbroken.loss and resumed.steps == unbroken.steps and same(whole, broken)
    assert resumed.seconds > 0

    done = small(seed=5)
    data = Discs()
    assert fit(done, data, steps=9, batch=4, checkpoint=path).loss == unbroken.loss
    assert same(done, whole) and not data.drawn  # finished: nothing is trained again
    with pytest.raises(ValueError, match="is at step 9, past steps=5; ask for more steps, delete it or use another"):
        fit(small(), Discs(jitter=jitter), steps=5, batch=4, checkpoint=path)
    longer = small(seed=5), small()
    losses = [
        fit(longer[0], Discs(jitter=jitter), steps=11, batch=4, checkpoint=path).loss,
        fit(longer[1], Discs(jitter=jitter), steps=11, batch=4).loss,
    ]
    assert losses[0] == losses[1] and same(*longer)  # more steps than the first time: it goes on


def test_a_process_killed_while_saving_leaves_a_whole_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(train, "SAVE_SECONDS", 0)
    path = tmp_path / "run.pt"
    fit(small(), Discs(), steps=3, batch=2, checkpoint=path)
    before = path.read_bytes()

    def killed(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    optimizer, scaler = torch.optim.AdamW(small().parameters()), torch.amp.GradScaler(enabled=False)
    with pytest.raises(KeyboardInterrupt):
        train._save(path, {}, small(), optimizer, scaler, History())
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(net=dict(skip="add")), "was made with another net; delete it or use another file name."),
        (dict(net=dict(upsample="nearest")), "was made with another net"),
        (dict(fit=dict(batch=4)), "was made with batch 2 and not 4; delete it"),
        (dict(fit=dict(lr=1e-2)), "was made with lr 0.003 and not 0.01"),
        (dict(fit=dict(seed=1)), "was made with seed 0 and not 1"),
        (dict(data=dict(length=13)), "was made with images 12 and not 13"),
        (dict(fit=dict(loss=losses.dice_loss)), "was made with loss cross_entropy and not dice_loss"),
    ],
)
def test_a_checkpoint_of_something_else(tmp_path, change, message):
    path = tmp_path / "run.pt"
    fit(small(), Discs(), steps=2, batch=2, checkpoint=path)
    net = small(**change.get("net", {}))
    before = {k: v.clone() for k, v in net.state_dict().items()}
    settings = {"steps": 2, "batch": 2, "checkpoint": path, **change.get("fit", {})}
    with pytest.raises(ValueError, match=message) as error:
        fit(net, Discs(**change.get("data", {})), **settings)
    assert str(path) in str(error.value) and "\n" not in str(error.value)
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())


class Runs:
    """Pickled, it would create a file where it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_a_checkpoint_is_data_and_runs_nothing(tmp_path):
    path, made = tmp_path / "run.pt", tmp_path / "made"
    torch.save(dict(settings=Runs(str(made))), path)
    with pytest.raises(ValueError, match="is not a checkpoint"):
        fit(small(), Discs(), steps=2, batch=2, checkpoint=path)
    assert not made.exists()
    pickle.loads(pickle.dumps(Runs(str(made)))).close()
    assert made.exists()  # so the trap does work


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None])
def test_a_damaged_checkpoint(tmp_path, content):
    path = tmp_path / "run.pt"
    if content is None:
        torch.save(small().state_dict(), path)
    else:
        path.write_bytes(content)
    with pytest.raises(ValueError, match="is not a checkpoint that fit wrote, or is damaged; delete it"):
        fit(small(), Discs(), steps=2, batch=2, checkpoint=path)


# --- what can go wrong, in one sentence each ----------------------------------------------------------------


def test_a_loss_that_is_no_number_stops():
    class Broken(Discs):
        def __getitem__(self, i):
            image, mask = super().__getitem__(i)
            return image / 0, mask

    with pytest.raises(FloatingPointError, match=r"The loss is nan at step 1; use a smaller lr than 0.003, and see"):
        fit(small(), Broken(), steps=2, batch=2)
    with pytest.raises(FloatingPointError, match="The loss is inf at step 3"):
        losses = iter([1, 1, float("inf")])
        fit(small(), Discs(), steps=9, batch=2, loss=lambda logits, masks: logits.mean() * 0 + next(losses))


@pytest.mark.parametrize(
    "kwargs, message",
    [
        (dict(steps=0), "steps must be a whole number of at least 1, not 0."),
        (dict(batch=2.5), "batch must be a whole number of at least 1, not 2.5."),
        (dict(lr=0), "lr must be greater than 0, not 0."),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError) as error:
        fit(small(), Discs(), **kwargs)
    assert str(error.value) == message


def test_data_that_does_not_fit_the_net():
    class Three(Discs):
        def __getitem__(self, i):
            image, mask = super().__getitem__(i)
            mask[5, 5] = 2
            return image, mask

    class Boxes(Discs):
        def __getitem__(self, i):
            return super().__getitem__(i)[0], dict(boxes=torch.zeros(0, 4))

    for call in (lambda d: fit(small(), d, steps=1, batch=2), lambda d: evaluate(small(), d)):
        with pytest.raises(ValueError, match=r"hold label 2, and 2 classes are 0 to 1 \(and 255"):
            call(Three())
        with pytest.raises(ValueError, match=r"data set gives a dict; ask for one target, such as scenes\(target"):
            call(Boxes())
    with pytest.raises(ValueError, match=r"logits of \(8, 8\) for masks of \(16, 16\)"):
        fit(nn.Conv2d(3, 2, 1, stride=2), Discs(), steps=1, batch=2)
    with pytest.raises(ValueError, match=r"Prediction \(8, 8, 8\) and truth \(8, 16, 16\) must have the same shape"):
        evaluate(nn.Conv2d(3, 2, 1, stride=2), Discs(), n=8)
    with pytest.raises(ValueError, match="The data set is empty"):
        fit(small(), Discs(length=0), steps=1)
    with pytest.raises(ValueError, match="There is nothing to score"):
        evaluate(small(), Discs(), n=0)


# --- predict and evaluate -----------------------------------------------------------------------------------


def test_predict_restores_the_mode_and_needs_no_whole_batches():
    net = small()
    net(torch.rand(4, 3, 16, 16))
    net.bottleneck.eval()
    modes = [m.training for m in net.modules()]
    before = {k: v.clone() for k, v in net.state_dict().items()}
    images = torch.rand(7, 3, 17, 20)
    pred, said = predict(net, images, batch=3), logits(net, images, batch=3)
    assert said.dtype == torch.float32 and said.device.type == "cpu" and torch.equal(said.argmax(1), pred)
    assert not said.requires_grad and torch.allclose(said, logits(net, images), atol=1e-5)
    assert pred.dtype == torch.int64 and pred.shape == (7, 17, 20) and torch.is_grad_enabled()
    assert [m.training for m in net.modules()] == modes
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())
    assert torch.equal(predict(net, images, batch=7), pred)
    assert torch.equal(net.eval()(images).argmax(1), pred)
    broken = nn.Sequential(small(), nn.Conv2d(5, 5, 1))
    with pytest.raises(RuntimeError):
        predict(broken, images)
    assert broken.training


class Fixed(torch.utils.data.Dataset):
    """A data set whose images carry the logits, so that nn.Identity is the net."""

    def __init__(self, logits, masks):
        self.logits, self.masks = logits, masks

    def __len__(self):
        return len(self.masks)

    def __getitem__(self, i):
        return self.logits[i], self.masks[i]


def brute_force(pred, truth, classes):
    """IoU of each class and accuracy by counting in Python."""
    pairs = [(p, t) for p, t in zip(pred.flatten().tolist(), truth.flatten().tolist()) if t != 255]
    iou = []
    for c in range(classes):
        union = sum(p == c or t == c for p, t in pairs)
        iou.append(sum(p == c == t for p, t in pairs) / union if union else float("nan"))
    return iou, sum(p == t for p, t in pairs) / len(pairs) if pairs else float("nan")


@pytest.mark.parametrize(
    "only_truth, only_pred, ignored",
    [((0, 1, 2, 3), (0, 1, 2, 3), 0.0), ((0, 1), (0, 1, 3), 0.3), ((0, 2), (2,), 0.1), ((1,), (0,), 0.9)],
)
def test_evaluate_against_counting(only_truth, only_pred, ignored):
    g = torch.Generator().manual_seed(len(only_truth))
    pred = torch.tensor(only_pred)[torch.randint(len(only_pred), (20, 6, 5), generator=g)]
    truth = torch.tensor(only_truth)[torch.randint(len(only_truth), (20, 6, 5), generator=g)]
    truth[torch.rand(truth.shape, generator=g) < ignored] = 255
    logits = nn.functional.one_hot(pred, 4).permute(0, 3, 1, 2).float()
    scores = evaluate(nn.Identity(), Fixed(logits, truth))
    iou, accuracy = brute_force(pred, truth, 4)
    assert scores.iou.tolist() == pytest.approx(iou, nan_ok=True) and scores.accuracy == pytest.approx(accuracy)
    present = [v for v in iou if v == v]
    assert scores.miou == pytest.approx(sum(present) / len(present))
    assert scores.matrix.sum() == (truth != 255).sum()

    from torchmetrics.functional.classification import multiclass_confusion_matrix, multiclass_jaccard_index

    assert torch.equal(scores.matrix, multiclass_confusion_matrix(pred, truth, 4, ignore_index=255))
    assert scores.miou == pytest.approx(multiclass_jaccard_index(pred, truth, 4, ignore_index=255).item(), rel=1e-5)
    part = evaluate(nn.Identity(), Fixed(logits, truth), n=7)
    assert part.iou.tolist() == pytest.approx(brute_force(pred[:7], truth[:7], 4)[0], nan_ok=True)


def test_nothing_labelled_is_no_score():
    scores = evaluate(nn.Identity(), Fixed(torch.rand(2, 3, 4, 4), torch.full((2, 4, 4), 255)))
    assert scores.miou != scores.miou and scores.accuracy != scores.accuracy and scores.iou.isnan().all()


def test_scores_name_the_classes():
    net, data = small(), Discs()
    scores = evaluate(net, data, n=5)
    assert scores.names == ("ground", "disc") and len(scores.iou) == 2 and net.training
    assert repr(scores).startswith(f"mIoU {scores.miou:.3f} (ground {scores.iou[0]:.2f}, disc ")
