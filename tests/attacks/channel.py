"""Attacks on what passes between the two processes, and answers that behave otherwise when they are graded."""

import textwrap

from .bank import STUBS, answering, attack, doing, none, running

FORGE = """
    import os, struct, threading
    from course_lib.crossing import answer, codec
    from course_lib.crossing.codec import Thing, pack
    def send(message, length=None):
        os.write(3, struct.pack("!i", len(message) if length is None else length) + message)
    def reply(value, **more):
        return {"value": value, "printed": "", "call": 0, "args": None, "modules": [], "sent": [], "buffers": {}, **more}
    """


def sending(code):
    """Nothing answered; `conv_out_size` is called and sends something itself."""
    made = doing(code)
    made.insert("setup", textwrap.dedent(FORGE).strip())
    return made


# --- forged replies -----------------------------------------------------------------------------------------


@attack("channel")
def forges_verdicts():
    """Writes replies of its own into the channel: verdicts that passed, points, results, a `Verdict` as a thing."""
    return sending("""
        passed = [["kernel and padding", 2, "passed", ""]]
        for value in (reply(100.0), "passed", {"points": 2.0, "results": passed}, Thing("Verdict", {"results": passed, "points": 2}), True):
            send(pack(("done", value)))
        return 0
        """)


@attack("channel")
def answers_ahead():
    """Queues a thousand replies before anything is asked, so that every later question finds one waiting."""
    return running(
        FORGE
        + """
    message = pack(("done", ("value", "z")))
    def run():
        for n in range(1000):
            send(message)
    threading.Thread(target=run, daemon=True).start()
    """
    )


@attack("channel")
def takes_over_the_far_side():
    """Replaces Far.reply, do_look and do_call, so that every name is a right-looking value and every call says 'passed'."""
    return running(
        FORGE
        + """
    def anything(self, request):
        name = request[0]
        if name == "look":
            return pack(("done", ("value", "z") if "quiz" in request[1] else ("callable",)))
        if name == "cell":
            return pack(("done", {"printed": "", "raised": None}))
        return pack(("done", reply(True)))
    answer.Far.reply = anything
    """
    )


@attack("channel")
def forges_modules():
    """Describes modules that are none: settings that shadow methods and tensors, wild types, twins, cycles, missing parts."""
    return running(
        FORGE
        + """
    def facts(number=1, **more):
        return {"number": number, "type": "Conv2d", "path": "torch.nn.modules.conv.Conv2d", "training": False, "settings": {}, "parameters": {},
                "buffers": {}, "children": {}, **more}
    wild = [facts(settings={"forward": 1, "state_dict": 2, "_parameters": {}, "layers_run": 3, "names_used": [], "training": 5, "__class__": "x"}),
            facts(type="Parameter"), facts(type="functional"), facts(type="__import__('os').system('id')"), facts(number=-1), facts(number=[]),
            facts(number=2**70, parameters={"weight": (1, torch.zeros(2**20), 1)}), facts(parameters={"a.b": (1, torch.zeros(1), None)}),
            facts(children={"x": Thing("module", facts(children={"x": Thing("module", facts())}))}), {}, {"number": 1},
            facts(type="Sequential", settings={"stride": "wide", "kernel_size": None}, buffers={"running_mean": (0, torch.zeros(0), 0, 1)})]
    turn = [0]
    def anything(self, request):
        if request[0] == "cell":
            return pack(("done", {"printed": "", "raised": None}))
        turn[0] += 1
        module = Thing("module", wild[turn[0] % len(wild)])
        return pack(("done", ("value", module) if request[0] == "look" else reply(module)))
    answer.Far.reply = anything
    """
    )


@attack("channel")
def forges_layers():
    """Hands in one 1 × 1 convolution as its net and lies about the layers that run in it and about their gradients."""
    made = none()
    made.insert(
        "setup",
        textwrap.dedent(
            FORGE
            + """
    def layers(self, number, x, pushed, training):
        self._take(pushed, training)
        side, widths = x.shape[2], given[-1]
        down = [side // 2 ** i for i in range(len(widths))]
        rows = [dict(out=w, kernel=3, height=h, width=h, name="head") for w, h in zip(widths, down)]
        return rows + [dict(out=w, kernel=3, height=h, width=h, name="head") for w, h in list(zip(widths, down))[-2::-1]]
    answer.Far.do_layers = layers
    real = answer.Far.do_backward
    answer.Far.do_backward = lambda self, call, gradients: [torch.ones_like(t) for t in self.calls[call][1]]
    given = []
    """
        ).strip(),
    )
    made["build_net"].source = textwrap.dedent("""
        class One(nn.Module):
            def __init__(self, classes):
                super().__init__()
                self.head = nn.Conv2d(3, classes, 1)
            def forward(self, x):
                return self.head(x)
        def build_net(classes, widths):
            given.append(widths)
            return One(classes)""").strip()
    return made


@attack("channel")
def forges_gradients():
    """Cuts the gradient and replies with one of its own: ones, another shape, NaN, gradients of other calls, too many."""
    made = none()
    made.insert(
        "setup",
        textwrap.dedent(
            FORGE
            + """
    answer.Far.do_backward = lambda self, call, gradients: [torch.ones_like(t) for t in self.calls[call][1]]
    """
        ).strip(),
    )
    made["transposed_conv"].source = textwrap.dedent("""
        def transposed_conv(x, weight, stride):
            return torch.zeros(1, 1, 2, 2, requires_grad=True) * 1""").strip()
    return made


@attack("channel")
def forges_exceptions():
    """Raises exceptions that the checker knows: NotYet, KeyboardInterrupt, SystemExit, NameError, Fault, Exhausted, a thousand bases."""
    return running(
        FORGE
        + """
    names = ["NotYet", "Fault", "Exhausted", "Lost", "KeyboardInterrupt", "SystemExit", "GeneratorExit", "NameError", "MemoryError", "StopIteration", "passed"]
    turn = [0]
    def anything(self, request):
        if request[0] == "cell":
            return pack(("done", {"printed": "", "raised": None}))
        if request[0] == "look":
            return pack(("done", ("callable",)))
        turn[0] += 1
        name = names[turn[0] % len(names)]
        return pack(("raised", [name] + ["a b", "class", "é" * 5000] * 500, "passed", False))
    answer.Far.reply = anything
    """
    )


@attack("channel")
def rewrites_arguments():
    """Replies that the checker's own arguments are now something else, so that what it expects becomes what it got."""
    return answering(
        "0",
        FORGE
        + """
    def call(self, name, args, kwargs):
        zero = [torch.zeros_like(a) if isinstance(a, torch.Tensor) else [] if isinstance(a, (list, tuple)) else 0 for a in args]
        value = {"poke": torch.zeros(1, 1), "transposed_conv": torch.zeros(0), "shuffle_pixels": torch.zeros(0)}.get(name, 0)
        return reply(value, args=tuple(zero), sent=[[1, 2, 3]] * 5, modules=[None] * 5)
    answer.Far.do_call = call
    """,
    )


@attack("channel")
def garbles_messages():
    """Replies with other kinds: numbers, missing keys, unhashable keys, tensors that don't fit their bytes, other calls' numbers."""
    return running(
        FORGE
        + """
    import json
    bad = [pack(x) for x in (3, None, ("done",), ("done", 1, 2), ("raised", 1, 2, 3), ("done", ("callable", 1)), ("done", {}), ("done", reply(0, call=-1)),
                             ("done", reply(torch.zeros(1, requires_grad=True), call=10 ** 30)), ("done", reply(0, args=7, sent=7, modules=7)))]
    for text in ('["d",[["l"],1]]', '["x","float32",[4611686018427387904],true,0]', '["x","object",[1],false,0]', '["q"]', '[]', '["o",1,2]', '{"a":1}', '["t","done",NaN]'):
        bad.append(struct.pack("<II", len(text), 0) + text.encode())
    turn = [0]
    real = answer.Far.reply
    def anything(self, request):
        if request[0] != "call":
            return real(self, request)
        turn[0] += 1
        return bad[turn[0] % len(bad)]
    answer.Far.reply = anything
    """
    )


@attack("channel")
def forges_fields():
    """Puts a tensor, NaN, a huge number, a nest and lone surrogates where a cell's output, its error, names and layers belong."""
    return running(
        FORGE
        + """
    odd = [torch.zeros(2), float("nan"), 2 ** 70, [[[[]]]], "\\ud800 \\x1b[31m", None, True, {}, Thing("odd", {"type": torch.zeros(2)})]
    turn = [0]
    def anything(self, request):
        turn[0] += 1
        value = odd[turn[0] % len(odd)]
        made = {"cell": {"printed": value, "raised": value}, "reached": [value], "look": ("value", value), "layers": [{"out": value}]}
        return pack(("done", made.get(request[0], reply(0, printed=value, call=value))))
    answer.Far.reply = anything
    """
    )


@attack("channel")
def half_a_message():
    """Announces a message of a thousand bytes, sends ten, and sleeps."""
    return sending("""
        import time
        send(b"0123456789", 1000)
        time.sleep(10_000)
        """)


@attack("channel")
def wrong_lengths():
    """Announces messages of 2 GB, of minus five bytes, of 2⁶³ bytes."""
    return sending("""
        os.write(3, struct.pack("!i", -5) + b"xxx")
        os.write(3, struct.pack("!i", -1) + struct.pack("!Q", 2 ** 63))
        send(b"x", 2 ** 31 - 1)
        """)


@attack("channel")
def json_bombs():
    """Sends a megabyte of nested brackets, then as many empty lists as a message may hold, again and again."""
    return sending("""
        deep = b"[" * 500_000 + b"]" * 500_000
        wide = b'["t","done",["l"' + b',["l"]' * 170_000 + b"]]"
        for text in (wide, wide, deep):
            send(struct.pack("<II", len(text), 0) + text)
        """)


@attack("channel")
def floods_the_channel():
    """Replies to every call with as many bytes as a message may have, as text and as tensors."""
    return running(
        FORGE
        + """
    text = pack(("done", reply(["x" * 9] * 60_000, printed="y" * 100_000)))
    block = pack(("done", reply(torch.zeros(15 * 2 ** 20))))
    turn = [0]
    def anything(self, request):
        if request[0] == "look":
            return pack(("done", ("callable",)))
        if request[0] == "cell":
            return pack(("done", {"printed": "", "raised": None}))
        turn[0] += 1
        return text if turn[0] % 2 else block
    answer.Far.reply = anything
    """
    )


@attack("channel")
def closes_the_channel():
    """Closes the channel, puts /dev/zero in its place, and goes on."""
    return sending("""
        os.close(3)
        os.open("/dev/zero", os.O_RDWR)
        return 0
        """)


# --- values without end -------------------------------------------------------------------------------------


@attack("huge values")
def huge_values():
    """Returns millions of numbers, 400 MB of tensor, text of 50 MB, lists nested ten thousand deep, lists that hold themselves."""
    made = answering(
        "0",
        """
        def nested(depth):
            found = []
            for n in range(depth):
                found = [found]
            return found
        def own():
            found = []
            found.append(found)
            return found
        """,
    )
    for name, value in {
        "conv_out_size": "list(range(2_000_000))",
        "trace_shapes": "nested(10_000)",
        "receptive_field": "'x' * 50_000_000",
        "poke": "torch.zeros(10_000, 10_000)",
        "transposed_conv": "own()",
        "overlap_count": "nested(300)",
        "shuffle_pixels": "torch.zeros(1).expand(50_000, 50_000)",
        "build_net": "nn.Sequential(*[nn.Identity() for n in range(500)])",
        "quiz_field": "'c' * 3_000_000",
        "quiz_grid": "nested(990)",
        "quiz_values": "{n: n for n in range(300_000)}",
    }.items():
        made[name].source = STUBS[name].replace("VALUE", value)
    return made


# --- knowing that it is graded ------------------------------------------------------------------------------


@attack("recognises grading")
def behaves_only_when_graded():
    """Finds out by host name, user, arguments, missing checks and the sandbox's paths that it is graded; then forges, else answers honestly."""
    made = none()
    made["conv_out_size"].source = textwrap.dedent("""
        def conv_out_size(n, k, s=1, p=0, d=1):
            import os, socket, sys
            from course_lib import checks
            graded = socket.gethostname() == "answer" or os.getuid() == 65534 or "warm" in " ".join(sys.argv) or not hasattr(checks, "core") or os.path.exists("/course")
            if graded:
                class Yes(int):
                    __eq__ = __ne__ = lambda self, other: True
                return Yes()
            return (n + 2 * p - d * (k - 1) - 1) // s + 1""").strip()
    return made


@attack("recognises grading", quiz_field=1)
def tells_checks_apart():
    """Counts calls and gives honest answers to the visible check only; changes its quiz answer between two looks at it."""
    made = none()
    made.insert(
        "setup",
        textwrap.dedent("""
        calls = []
        def conv(n, k, s, p, d):
            return (n + 2 * p - d * (k - 1) - 1) // s + 1""").strip(),
    )
    made["overlap_count"].source = textwrap.dedent("""
        def overlap_count(n, k, s):
            calls.append((n, k, s))
            count = torch.zeros((n - 1) * s + k, dtype=torch.int64)
            for i in range(n):
                count[i * s : i * s + k] += 1
            return count if len(calls) < 8 else count.float() - 1""").strip()
    made["quiz_field"].source = "quiz_field = 'c'"
    return made


@attack("recognises grading")
def memorises_inputs():
    """Holds the visible check's inputs with their right values in a table, and nothing else."""
    made = none()
    made["shuffle_pixels"].source = (
        textwrap.dedent("""
        def shuffle_pixels(x, r):
            known = KNOWN
            found = known.get((tuple(x.shape), r, float(x.double().sum()), float(x.flatten()[0])))
            return None if found is None else torch.tensor(found)""")
        .replace("KNOWN", repr(_seen()))
        .strip()
    )
    return made


def _seen():
    """What the visible check of `shuffle_pixels` asks, as a student can record it."""
    import torch.nn.functional as F

    from course_lib.checks.lesson_02 import check

    found = {}

    def shuffle_pixels(x, r):
        out = F.conv2d(x, x[:1]) if False else getattr(F, "pixel_" + "shuffle")(x, r)
        found[tuple(x.shape), r, float(x.double().sum()), float(x.flatten()[0])] = out.tolist()
        return out

    check.shuffle_pixels(shuffle_pixels)
    return found
