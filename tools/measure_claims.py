"""Run a lesson's experiments over seeds, threads and processors; print each line with the range of its numbers.

    python tools/measure_claims.py 06 --seeds 0 1 2 --threads 1 2 --capability best default

A sentence about a training run must hold in all of these runs, not only in the one that its author saw. The solved
notebook's code runs as plain code, without the graded cells, each run in a process of its own. A seed S stands where
the lesson has 0: in `torch.manual_seed(0)`, as the seed of every `train.fit`. The capability is ATEN_CPU_CAPABILITY:
"default" is a processor without AVX, "best" what this one has. `--log FOLDER` keeps each run's text.
"""

import argparse
import ast
import itertools
import json
import os
import re
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e[+-]\d+)?")


def run(lesson, seed):
    """[number of the cell, what it printed, and its last value as text] for each ungraded cell, printed as JSON."""
    import matplotlib
    import nbformat

    from course_lib import train

    matplotlib.use("Agg")
    train.fit.__kwdefaults__["seed"] = seed
    (path,) = (ROOT / "solutions").glob(f"{lesson}*/*.ipynb")
    names, texts = {"display": lambda value: print(repr(value))}, []
    for number, cell in enumerate(nbformat.read(path, as_version=4).cells):
        if cell.cell_type != "code" or cell.metadata.get("nbgrader", {}).get("grade"):
            continue
        tree = ast.parse(cell.source.replace("torch.manual_seed(0)", f"torch.manual_seed({seed})"))
        last = ast.Expression(tree.body.pop().value) if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        with redirect_stdout(StringIO()) as printed:
            exec(compile(tree, f"cell {number}", "exec"), names)
            value = eval(compile(last, f"cell {number}", "eval"), names) if last else None
        texts.append([number, printed.getvalue() + (f"{value!r}\n" if value is not None else "")])
    print(json.dumps(texts))


def measured(lesson, seed, threads, capability):
    """The texts of one run, made in a process of its own."""
    more = {
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "OMP_WAIT_POLICY": "PASSIVE",
        "PYTHONPATH": str(ROOT),
    } | ({} if capability == "best" else {"ATEN_CPU_CAPABILITY": capability})
    done = subprocess.run(
        [sys.executable, __file__, lesson, "--seeds", str(seed), "--inside"],
        env={**os.environ, **more},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def ranges(runs):
    """Lines (text) in which a number differs between the runs, each such number as its least … its greatest."""
    seen = {}  # (cell, the line without its numbers, which of these lines) -> [its numbers in one run, …]
    for texts in runs:
        met = {}
        for number, text in texts:
            for line in text.splitlines():
                key = number, re.sub(r"\s+", " ", NUMBER.sub("#", line))
                met[key] = met.get(key, -1) + 1
                seen.setdefault((*key, met[key]), []).append(NUMBER.findall(line))
    for (number, line, _), rows in seen.items():
        if len(set(map(tuple, rows))) > 1:
            for column in zip(*rows):
                values = sorted(set(column), key=lambda v: float(v.replace(",", "")))
                line = line.replace("#", values[0] if len(values) == 1 else f"{values[0]}…{values[-1]}", 1)
            yield f"cell {number}: {line}" + (f"  ({len(rows)} of {len(runs)} runs)" if len(rows) < len(runs) else "")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lesson", help="its number, such as 06")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--capability", nargs="+", default=["best"])
    parser.add_argument("--log", type=Path, help="a folder for each run's text; runs that it has are not made again")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        return run(given.lesson, given.seeds[0])
    runs = []
    for capability, threads, seed in itertools.product(given.capability, given.threads, given.seeds):
        name = f"{given.lesson}_seed{seed}_threads{threads}_{capability}"
        kept = given.log / f"{name}.json" if given.log else None
        texts = (
            json.loads(kept.read_text())
            if kept and kept.exists()
            else measured(given.lesson, seed, threads, capability)
        )
        if kept:
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(texts, indent=1))
        runs.append(texts)
        print(f"{name}: {sum(len(text.splitlines()) for _, text in texts)} lines", flush=True)
    print(*ranges(runs), sep="\n")


if __name__ == "__main__":
    main()
