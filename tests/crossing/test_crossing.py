"""Checks in one process, answers in another: every answer of the bank gets the verdict that it gets in one."""

import contextlib
import copy
import multiprocessing
import random
import subprocess
import sys

import pytest
import torch

from course_lib.checks import values
from course_lib.crossing import codec, stand_ins
from tests.support import answers
from tests.support.answers import BANK, CHECKS, names_in, visible
from tests.support.course import ROOT
from tests.support.processes import PATIENCE

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def far():
    """A context manager: code -> a Session with a process that has run it."""
    mine, theirs = multiprocessing.Pipe()
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.support.far_process", str(theirs.fileno())], pass_fds=[theirs.fileno()], cwd=ROOT
    )
    theirs.close()

    @contextlib.contextmanager
    def process(code):
        mine.send_bytes(codec.pack(code))
        assert codec.unpack(mine.recv_bytes()) == "ready"
        try:
            yield stand_ins.Session(mine, names_in(code))
        finally:
            mine.send_bytes(codec.pack(("end",)))
            assert codec.unpack(mine.recv_bytes()) == "over"

    yield process
    mine.close()
    assert child.wait(PATIENCE) == 0


def told(verdict):
    return [(r.part, r.outcome, r.message) for r in verdict.results]


@pytest.mark.parametrize("item", BANK, ids=str)
def test_an_answer_gets_the_same_verdict_across_processes(item, far):
    check = getattr(CHECKS[item.lesson], item.exercise)
    with far(item.code) as session:
        across = check(session.look(item.exercise))
    assert told(across) == told(visible(item))


# --- what crosses -------------------------------------------------------------------------------------------

PLAIN = [
    None,
    True,
    3,
    -(2**70),
    1.5,
    float("inf"),
    2 + 3j,
    "é\ud800",
    [],
    (1, [2, ("a",)]),
    {"k": [1], 2: None, (1, 2): "t"},
]
TENSORS = [
    torch.arange(6)[1::4][1:],
    torch.arange(6.0)[::5][:1].reshape(1, 1),
    torch.randn(2, 3),
    torch.zeros(0, 3),
    torch.tensor(7),
    torch.tensor([True, False]),
    torch.randn(3, 4).T,
    torch.randn(2).bfloat16(),
    torch.tensor([1 + 2j]),
    torch.tensor([float("nan")]),
    torch.tensor([2**62]),
]


@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_plain_values_arrive_as_they_were(value):
    assert repr(codec.unpack(codec.pack(value))) == repr(value)


@pytest.mark.parametrize("value", TENSORS, ids=lambda t: f"{t.dtype} {tuple(t.shape)}")
def test_tensors_arrive_bit_by_bit(value):
    got = codec.unpack(codec.pack(value))
    assert got.dtype == value.dtype and got.shape == value.shape and got.is_contiguous()
    torch.testing.assert_close(got, value, rtol=0, atol=0, equal_nan=True)


def test_other_types_and_bottomless_nests_are_not_sent():
    nest = []
    for _ in range(100_000):
        nest = [nest]
    for value in (object(), {1, 2}, b"raw", lambda: 0, nest, torch.zeros(2).to_sparse(), torch.zeros(2, device="meta")):
        with pytest.raises(codec.Garbled):
            codec.pack(value)


def test_garbled_bytes_raise_one_error_and_run_nothing():
    whole = codec.pack([1, torch.arange(6.0).reshape(2, 3), {"a": (None, "text")}])

    luck = random.Random(0)
    for _ in range(3000):
        bad = bytearray(whole[: luck.randrange(len(whole) + 1)] if luck.random() < 0.2 else whole)
        for _ in range(luck.randrange(1, 6)):
            if bad:
                bad[luck.randrange(len(bad))] = luck.randrange(256)
        with contextlib.suppress(codec.Garbled):
            codec.pack(codec.unpack(bytes(bad)))  # what is read is of the format, whatever the bytes
    for text in (
        '["x", "float32", [1000000000000], false, 0]',
        '["x", "__class__", [0], false, 0]',
        '["o", "odd", 3]',
        "[]",
        "1e400",
        '["f", "zz"]',
        "[" * 100_000,
    ):
        with pytest.raises(codec.Garbled):
            codec.unpack(len(text).to_bytes(4, "little") + bytes(4) + text.encode())


CODE = """
def weigh(x, w):
    return {"sum": (x * w).sum(), "pair": [x @ w.T, 3]}
def spoil(x, items, table):
    x.zero_(); items.append(4); table["new"] = 1
def noisy(n):
    print("heard"); return torch.rand(n)
def odd(): return object()
def wrong(): raise KeyError("no such")
class Stub(nn.Module):
    def __init__(self): raise NotImplementedError
class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        self.head = nn.Conv2d(width, 2, 1)
        self.width = width
    def forward(self, x): return self.head(self.body(x)), x.mean()
def widen(net):
    net[0].dilation = (2, 2); net[0].padding = (2, 2)
    return net
def grow(net): net.add_module("2", nn.ReLU())
def fill(net):
    with torch.no_grad(): net[0].weight.fill_(1.0)
number = 7
"""


@pytest.fixture
def both(far):
    """The names of CODE: across processes, and here."""
    with far(CODE) as session:
        yield session, answers.run(CODE, "<here>")


def test_values_and_gradients_are_bit_equal(both):
    session, here = both
    x, w = torch.randn(3, 4, requires_grad=True), torch.randn(3, 4, requires_grad=True)
    found = []
    for f in (session.look("weigh"), here["weigh"]):
        value = f(x, w=w)
        found.append(
            [value["sum"], value["pair"][0], *torch.autograd.grad((value["pair"][0] ** 2).sum() + value["sum"], (x, w))]
        )
        assert value["pair"][1] == 3 and value["sum"].requires_grad
    assert all(torch.equal(a, b) for a, b in zip(*found))


def test_a_call_is_forgotten_when_nobody_can_ask_for_its_gradients(far):
    with far(
        "import gc, torch\nimport course_lib.crossing.answer as f\n"
        "def double(x): return 2 * x\n"
        "def held(): return sum(len(o.calls) for o in gc.get_objects() if isinstance(o, f.Far))"
    ) as session:
        double, x = session.look("double"), torch.ones(3, requires_grad=True)
        first = double(x)
        for _ in range(5 * stand_ins.AT_ONCE):
            double(x)
        assert session.look("held")() <= stand_ins.AT_ONCE + 3
        first.sum().backward()
        assert torch.equal(x.grad, torch.full((3,), 2.0))


def test_memory_that_is_used_again_makes_no_tensors_one(far):
    """A weight that gets a new value leaves its memory to whatever comes next, such as another net's weight."""
    with far(
        "import torch.nn as nn\ndef build(): return nn.Sequential(*(nn.Conv2d(16, 16, 3) for _ in range(4)))"
    ) as session:
        build, seen = session.look("build"), []
        for _ in range(30):
            net = build()
            net.load_state_dict({name: torch.randn_like(value) for name, value in net.state_dict().items()})
            net(torch.ones(1, 16, 16, 16))
            seen.append(net)
        places = [p.data_ptr() for net in seen for p in net.parameters()]
    assert len(set(places)) == len(places)


def test_changed_arguments_come_back(both):
    x, items, table = torch.ones(2), [1, [2]], {"old": 0}
    assert both[0].look("spoil")(x, items, table) is None
    assert not x.any() and items == [1, [2], 4] and table == {"old": 0, "new": 1}


def test_names_text_randomness_and_errors_cross(both, capsys):
    session, here = both
    assert session.look("number") == 7
    torch.manual_seed(0)
    assert torch.equal(session.look("noisy")(3), torch.rand(3)) and capsys.readouterr().out == "heard\n"
    with pytest.raises(KeyError):
        session.look("nothing_of_the_kind")
    with pytest.raises(Exception, match="no such") as caught:
        session.look("wrong")()
    assert type(caught.value).__name__ == "KeyError" and not isinstance(caught.value, KeyError)
    with pytest.raises(NotImplementedError):
        session.look("Stub")()
    with pytest.raises(values.NotYet, match="Your answer is a `object`"):
        values.plain(session.look("odd")())


def test_a_module_stands_here_as_a_mirror(both):
    session, here = both
    torch.manual_seed(0)
    net, own = session.look("Net")(5), here["Net"](5)
    own.load_state_dict(net.state_dict())
    assert (
        repr(net) == repr(own)
        and net.width == 5
        and isinstance(net.body[0], torch.nn.Conv2d)
        and type(net).__name__ == "Net"
    )
    x = torch.randn(2, 3, 8, 8, requires_grad=True)
    for mode in (True, False):
        net.train(mode), own.train(mode)
        pulls = [torch.autograd.grad(f(x)[0].square().sum(), (x, *f.parameters())) for f in (net, own)]
        assert all(torch.equal(a, b) for a, b in zip(*pulls))
        assert all(
            torch.equal(a, b) for a, b in zip(net.state_dict().values(), own.state_dict().values())
        )  # running means, too
    with torch.no_grad():
        net.head.weight.fill_(2.0), own.head.weight.fill_(2.0)
    assert torch.equal(net(x)[0], own(x)[0]) and torch.equal(net.head(net.body(x)), own(x)[0])

    other = copy.deepcopy(net)
    with torch.no_grad():
        other.head.weight.zero_(), other.head.bias.zero_()
    assert not other(x)[0].any() and torch.equal(net(x)[0], own(x)[0])


def test_a_module_goes_there_and_what_is_done_to_it_comes_back(both):
    session, here = both
    for name in ("widen", "fill", "grow"):
        there, mine = (
            torch.nn.Sequential(torch.nn.Conv2d(1, 1, 3, padding=1), torch.nn.BatchNorm2d(1)) for _ in range(2)
        )
        mine.load_state_dict(there.state_dict())
        out, want = session.look(name)(there), here[name](mine)
        x = torch.randn(1, 1, 6, 6)
        assert repr(there) == repr(mine) and (out is None) == (want is None)
        assert torch.equal(there.eval()(x), mine.eval()(x))


def test_a_process_that_dies_or_lies_is_lost(far):
    mine, theirs = multiprocessing.Pipe()
    for reply in (b"", b"rubbish", codec.pack(3), codec.pack(("done", ("value",)))):
        theirs.send_bytes(reply)
        with pytest.raises(stand_ins.Lost):
            stand_ins.Session(mine).look("f")
    theirs.close()
    with pytest.raises(stand_ins.Lost, match="ended the process"):
        stand_ins.Session(mine).look("f")


def test_names_in_source_agree_with_names_used():
    for item in BANK:
        built = item.build()
        if callable(built):
            read, used = names_in(item.code)[item.exercise], values.names_used(built)
            words = {w for e in (getattr(CHECKS[item.lesson], item.exercise),) for w in e._own_work}
            assert read & words == used & words, item
