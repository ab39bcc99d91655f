"""The lessons: both forms run whole, within time and memory, in the form that a lesson has; their experiment shows its point."""

import math
import os
import re

import pytest
import torch

from course_lib import data, metrics, models, train
from tests.support.answers import CHECKS
from tests.support.course import LESSONS, ROOT, is_draft, notebook, where

SECONDS, MEGABYTES = 60, 1536  # a whole lesson on two CPU cores


def own(cells):
    """How many cells a lesson has: a statement and the text that the builder cuts off before it count as one."""
    cut = sum(b.source.startswith("### Exercise") and a.cell_type == "markdown" for a, b in zip(cells, cells[1:]))
    return len(cells) - cut


def words(cells):
    text = " ".join(c.source for c in cells if c.cell_type == "markdown")
    return sum(bool(re.search(r"[A-Za-z]", w)) for w in text.split())


# --- both forms run -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_source_notebook_runs_whole_under_nbval(lesson, run_notebook):
    run = run_notebook("solutions", lesson)
    assert run.failed == 0, run.report[-3000:]
    for cell in run.cells:
        if cell.metadata.get("nbgrader", {}).get("grade") and cell.cell_type == "code":
            assert float(run.texts(cell)) == cell.metadata.nbgrader.points, cell.source


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_students_notebook_runs_whole_and_every_check_says_not_attempted(lesson, run_notebook):
    run = run_notebook("lessons", lesson)
    assert run.failed == 0, run.report[-3000:]
    checks = [c for c in run.cells if c.metadata.get("nbgrader", {}).get("grade") and c.cell_type == "code"]
    for cell in checks:
        assert run.texts(cell) == "0" and "Not attempted" in cell.outputs[0]["data"]["text/html"], cell.source
    assert is_draft(lesson) or len(checks) >= 6, (
        f"{where(lesson)} a lesson has five exercises or more and a quiz of three"
    )


@pytest.mark.parametrize("kind", ["solutions", "lessons"])
@pytest.mark.parametrize("lesson", LESSONS)
def test_nothing_is_written_to_stderr(lesson, kind, run_notebook):
    for cell in run_notebook(kind, lesson).cells:
        assert not [o["text"] for o in cell.get("outputs", []) if o.get("name") == "stderr"], cell.source


@pytest.mark.parametrize("lesson", LESSONS)
def test_time_and_memory_beside_their_budget(lesson, run_notebook, measured):
    run = run_notebook("solutions", lesson)
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    time = f"{run.seconds:.0f} s of {SECONDS} s (threads: {threads}; {run.cpu:.0f} s of processors)"
    measured(f"{lesson}: {time}, {run.megabytes:.0f} MB of {MEGABYTES} MB")
    assert run.megabytes <= MEGABYTES
    # seconds on the clock are printed; judged are those of the processor, with room for a slower one
    assert run.cpu <= 4 * SECONDS


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_figure_has_a_picture_and_says_what_it_shows(lesson, run_notebook):
    pictures = 0
    for cell in run_notebook("solutions", lesson).cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                pictures += 1
                text = output["data"].get("text/plain", "")
                assert len(text) > 20 and not text.startswith("<Figure"), text
    assert is_draft(lesson) or pictures >= 5, (
        f"{where(lesson)} a lesson has five pictures or more; this one has {pictures}"
    )


@pytest.mark.parametrize("lesson", LESSONS)
def test_widgets_show_a_picture_where_there_is_no_front_end(lesson, run_notebook):
    views = [
        o["data"]
        for c in run_notebook("lessons", lesson).cells
        for o in c.get("outputs", [])
        if "application/vnd.jupyter.widget-view+json" in o.get("data", {})
        and "tqdm" not in o["data"].get("text/plain", "")
        and "it/s" not in o["data"].get("text/plain", "")
    ]
    assert views and all("image/png" in v for v in views)


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lessons_checks_are_of_this_lesson_and_of_exercises_that_it_has(lesson):
    check, package = CHECKS[lesson], f"course_lib/checks/lesson_{lesson[:2]}"
    assert check._name == lesson, f"{package}/__init__.py says that it is of {check._name}"
    asked = {c.metadata.get("nbgrader", {}).get("grade_id") for c in notebook("lessons", lesson).cells}
    for name in check._exercises:
        assert f"check_{name}" in asked, f"{package} has {name}, which solutions/{lesson}.py does not ask for"


# --- the form of a lesson -----------------------------------------------------------------------------------


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_fits_one_sitting(lesson, measured):
    cells = notebook("lessons", lesson).cells
    graded = [c for c in cells if c.metadata.get("nbgrader", {}).get("grade")]
    exercises = [
        c for c in graded if c.cell_type == "code" and not c.metadata.nbgrader.grade_id.startswith("check_quiz_")
    ]
    measured(f"{lesson}: {words(cells)} words, {own(cells)} cells, {len(exercises)} exercises")
    assert words(cells) <= 3000 and own(cells) <= 70, f"{where(lesson)} a lesson has at most 3000 words and 70 cells"
    assert max(len(c.source.splitlines()) for c in cells if c.cell_type == "code") <= 25, (
        f"{where(lesson)} a code cell has at most 25 lines"
    )
    if not lesson.startswith("00"):
        assert is_draft(lesson) or own(cells) >= 40 and 5 <= len(exercises) <= 8, (
            f"{where(lesson)} a lesson has 40 cells or more and five to eight exercises"
        )
        assert sum(c.metadata.nbgrader.points for c in graded) == 20
    quizzes = sum(c.metadata.nbgrader.grade_id.startswith("check_quiz_") for c in graded)
    assert quizzes == 3 and sum(c.cell_type == "markdown" for c in graded) == 1, (
        f"{where(lesson)} a lesson has three quizzes and one written question; this one has {quizzes} quizzes"
    )
    for word in (
        "**You will be able to**",
        "**You need**",
        "**Time:**",
        "**Points:**",
        "**An interviewer asks:**",
        "**Next:**",
    ):
        assert any(word in c.source for c in cells), word


@pytest.mark.parametrize("lesson", LESSONS)
def test_an_exercise_says_all_that_it_must(lesson):
    for cell in notebook("lessons", lesson).cells:
        if "### Exercise" in cell.source:
            assert re.search(r"### Exercise \d+ · .+\n\n[●○]{3} · [\d.]+ points? · about \d+ minutes\n", cell.source), (
                cell.source
            )
            assert "For example, " in cell.source and re.search(r"Write `\w+\(", cell.source), cell.source


@pytest.mark.parametrize("lesson", LESSONS)
def test_no_graded_cell_depends_on_a_demonstration(lesson):
    """Grading skips cells tagged demo: names that only those define are used by no other cell."""
    import ast

    made, used = set(), {}
    for cell in notebook("solutions", lesson).cells:
        if cell.cell_type != "code":
            continue
        tree = ast.parse(cell.source)
        stores = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        stores |= {n.name for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
        stores |= {
            a.asname or a.name.split(".")[0]
            for n in ast.walk(tree)
            if isinstance(n, (ast.Import, ast.ImportFrom))
            for a in n.names
        }
        stores |= {a.arg for n in ast.walk(tree) if isinstance(n, ast.arguments) for a in n.args + n.kwonlyargs}
        loads = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        if "demo" not in cell.metadata.get("tags", []):
            made |= stores
            used[cell.id] = loads - stores
    import builtins

    for cell_id, names in used.items():
        assert names <= made | set(dir(builtins)) | {"display"}, f"{cell_id}: {names - made}"


@pytest.mark.parametrize("lesson", LESSONS)
def test_cells_that_train_are_tagged(lesson):
    for cell in notebook("lessons", lesson).cells:
        if "train.fit(" in cell.source:
            assert {"demo", "experiment"} <= set(cell.metadata.tags)


def test_the_table_of_lessons_in_the_readme_is_complete():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| \[.*\]\(lessons/(\w+)/", readme, flags=re.M) == LESSONS
    for lesson in LESSONS:
        assert f"lessons/{lesson}/{lesson}.ipynb" in readme
        minutes = re.search(r"\*\*Time:\*\* (\d+) minutes", notebook("lessons", lesson).cells[0].source)[1]
        row = next(line for line in readme.splitlines() if lesson in line and line.startswith("|"))
        assert f"{minutes} min" in row


# --- lesson 02's experiment ---------------------------------------------------------------------------------


def seen(run, pattern):
    """A number that the lesson's run printed."""
    text = "\n".join(run.texts(c) for c in run.cells if c.cell_type == "code")
    return [float(v.replace(",", "")) for v in re.search(pattern, text).groups()]


@pytest.fixture(scope="module")
def experiment(run_notebook):
    """{seed: (error density within 3 px, further away, mIoU, border IoU)}: seed 0 as the lesson ran it, 1 and 2 run here."""
    run = run_notebook("solutions", "02_encoder_decoder")
    near, far = seen(run, r"four halvings: wrong within 3 px of a boundary: ([\d.]+) %, further away: ([\d.]+) %")
    miou, border = seen(run, r"4 halvings: mIoU ([\d.]+) \(.*border ([\d.]+)\)")
    results = {0: (near / 100, far / 100, miou, border)}
    source = next(c.source for c in run.cells if "depth=depth" in c.source)
    size, steps = (int(v) for v in re.search(r"cpu=\((\d+), (\d+)\)", source).groups())
    settings = {k: int(v) for k, v in re.findall(r"(classes|base)=(\d+)", source)}
    part, rate = re.search(r"steps=steps // (\d+), lr=([\d.e-]+)", source).groups()
    scenes = data.Kept(data.scenes("train", size=size, length=4000))
    for seed in (1, 2):
        torch.manual_seed(seed)
        net = models.EncoderDecoder(**settings, depth=4)
        train.fit(net, scenes, steps=steps, seed=seed, curve=False)
        train.fit(net, scenes, steps=steps // int(part), lr=float(rate), seed=seed, curve=False)
        unseen = data.scenes("val", size=size, length=200)
        images, truth = data.stack(unseen, 200)
        wrong, distance = train.predict(net, images) != truth, metrics.distance_to_boundary(truth)
        scores = train.evaluate(net, unseen)
        results[seed] = (
            wrong[distance <= 3].float().mean().item(),
            wrong[distance > 3].float().mean().item(),
            scores.miou,
            scores.iou[2],
        )
    return results


@pytest.mark.lesson("02_encoder_decoder")
def test_errors_gather_within_three_pixels_of_a_boundary(experiment, measured):
    for seed, (near, far, miou, border) in experiment.items():
        where = f"wrong within 3 px {near:.1%}, further {far:.1%} (x{near / far:.1f})"
        measured(f"02, seed {seed}: {where}, mIoU {miou:.3f}, border IoU {border:.3f}")
    for near, far, miou, border in experiment.values():
        assert (
            near > 7 * far and border < 0.1 and not math.isnan(miou)
        )  # measured: 9.3 to 14.6 times; background everywhere 9.4


@pytest.mark.lesson("02_encoder_decoder")
def test_thin_parts_are_lost_first_and_fewer_halvings_bring_them_back(run_notebook):
    run = run_notebook("solutions", "02_encoder_decoder")
    thin, thick = {}, {}
    for depth in (4, 2):
        thin[depth], thick[depth] = seen(
            run, rf"{depth} halvings: found (\d+) % of the thin pixels and (\d+) % of the thick ones"
        )
    # measured: of thin parts 35 to 147 % more, of thick ones 3 to 29 %; in each run the first is four times the second or more
    assert thin[4] < thick[4] - 30
    assert thin[2] / thin[4] - 1 > max(0.2, 2.5 * (thick[2] / thick[4] - 1))


# --- lesson 01's experiment ---------------------------------------------------------------------------------


@pytest.mark.lesson("01_one_label_to_every_pixel")
def test_a_slid_classifier_finds_animals_and_even_a_perfect_one_is_too_coarse(run_notebook):
    run = run_notebook("solutions", "01_one_label_to_every_pixel")
    wide, narrow = (
        seen(run, name + r",.*, IoU on the left ([\d.]+), IoU on the right ([\d.]+)")
        for name in ("fully connected", "5 × 5 convolution")
    )
    assert wide[0] > narrow[0] + 0.03 and wide[1] < 0.2 and min(narrow) > 0.8
    assert (
        seen(run, r"largest difference ([\d.e+-]+)")[0] < 1e-4 and seen(run, r"one by one cost ([\d.]+) times")[0] > 4
    )
    network, everywhere = seen(run, r"IoU of animal: network ([\d.]+), animal everywhere ([\d.]+)")
    assert 1.6 < network / everywhere < 2.4  # measured: 1.8 to 2.1
    surest, fixed = seen(run, r"surest window (\d+) %, the best fixed window (\d+) %")
    assert surest >= 80 and fixed < 50  # measured: 88 to 97
    ceiling, smooth = (
        seen(run, rf"the right answers, enlarged {how}: IoU ([\d.]+)")[0] for how in ("as blocks", "smoothly")
    )
    assert seen(run, r"network's answers, enlarged as blocks: IoU ([\d.]+)")[0] < ceiling - 0.1
    assert 0.6 < ceiling < 0.75 and abs(smooth - ceiling) < 0.1


# --- lesson 04's experiment ---------------------------------------------------------------------------------


@pytest.mark.lesson("04_unet")
def test_skips_pay_along_outlines_and_in_thin_parts_and_elsewhere_change_little(run_notebook, measured):
    run = run_notebook("solutions", "04_unet")
    text = "\n".join(run.texts(c) for c in run.cells if c.cell_type == "code")
    rows = re.findall(r"^(skips|closed skips|closed afterwards) " + r" +([\d.]+) %" * 4, text, flags=re.M)
    (short, short_closed), (long, closed, afterwards) = (
        [[float(v) for v in row[1:]] for row in part] for part in (rows[:2], rows[2:])
    )
    shares = f"short {short} closed {short_closed}; long {long} closed {closed}"
    measured(f"04, thin, inside: found; near, far: wrong (%): {shares}")
    # measured, short: 5.8 to 11.6 points near outlines, 6.5 to 27 in thin parts; once of nine runs (seed 2, two threads) 0.4 and −1.4
    assert short[2] < short_closed[2] - 3 and short[0] > short_closed[0] + 2
    thin, inside, near, far = zip(long, closed, afterwards)
    assert thin[0] > 1.8 * thin[1] and near[0] < near[1] - 8
    assert abs(inside[0] - inside[1]) < 3 and abs(far[0] - far[1]) < 1
    assert near[2] > near[1] + 8 and thin[2] < thin[1]


# --- lesson 07's experiment ---------------------------------------------------------------------------------


@pytest.mark.lesson("07_metrics")
def test_two_scores_flatter_a_program_that_never_looks_and_one_the_bold_network(run_notebook, measured):
    run, number = run_notebook("solutions", "07_metrics"), r"([\d.]+)"
    flattering, others = ("accuracy", "mIoU, mean of pictures"), ("mean accuracy", "mIoU, all pixels", "boundary IoU")
    board = {
        score: seen(run, rf"\n{score} +background everywhere {number}, U-Net {number}, bold U-Net {number}\n")
        for score in flattering + others
    }
    measured("07, " + "; ".join(f"{score}: blind {a}, U-Net {b}, bold {c}" for score, (a, b, c) in board.items()))
    # measured: the bold net is 0.075 to 0.26 behind the blind program by accuracy, 0.16 to 0.22 by the mean over pictures;
    # by mean accuracy it is 0.026 to 0.053 ahead of the net
    for score, (blind, net, bold) in board.items():
        assert net > blind + 0.02 and (blind > bold + 0.04 if score in flattering else bold > blind), score
        assert bold > net + 0.01 if score == "mean accuracy" else net > bold, score
    pictures, pixels, recall = (
        seen(run, rf"\n{score} +{number} {number} {number} {number}\n")
        for score in ("mIoU, mean of pictures", "mIoU, all pixels", "mean accuracy")
    )
    assert (
        pictures[2] < 0.67 * pictures[0] and abs(pixels[2] / pixels[0] - 1) < 0.1
    )  # boldness 0.6 and 0; measured: 0.47 to 0.63, 0.96 to 1.05
    assert recall[2] > recall[0]
    row = rf"{{}} +{number} +{number} +(nan|[\d.]+) +{number}\n"
    text = "\n".join(run.texts(c) for c in run.cells if c.cell_type == "code")
    table = {
        name: re.findall(row.format(name), text)
        for name in ("background", "mammal", "bird", "fish", "arthropod", "frog or lizard")
    }
    assert (
        float(table["background"][0][1]) > 0.9 and float(table["mammal"][0][1]) > 0.5
    )  # the U-Net's recall; measured: 0.96, 0.61 and more
    for name in ("bird", "fish", "arthropod", "frog or lizard"):
        assert (
            float(table[name][0][3]) < 0.05 and not float(table[name][1][2]) >= 0.5
        )  # its IoU; the bold net's precision: 0.25 at most


# --- lesson 06's experiment ---------------------------------------------------------------------------------


@pytest.mark.lesson("06_losses")
def test_losses_change_how_much_is_called_thin_more_than_how_well(run_notebook):
    run = run_notebook("solutions", "06_losses")
    share = {
        name: seen(run, rf"{name} +(\d+) % +(\d+) % +(\d+) % +(\d+) %")
        for name in ("cross-entropy", "weighted", "focal, γ = 2", "Dice", "sum")
    }
    assert all(ignored == 0 for _, _, _, ignored in share.values())
    # measured: weighted 81 to 92 % (elsewhere 77), focal 82 to 94, easy 7 to 14, Dice's lead 8 to 16, all pictures' 10 to 15
    assert share["weighted"][0] > 67 and share["focal, γ = 2"][1] > 75
    assert share["focal, γ = 2"][2] <= 2 and all(share[name][2] < 20 for name in ("cross-entropy", "Dice", "sum"))
    over_all = seen(run, r"thin part +[\d.]+ % +(\d+) % +[\d.]+\n")[0]
    assert share["Dice"][0] > share["cross-entropy"][0] > over_all and over_all < 20
    assert max(seen(run, r"thin part +found: +(\d+) %")) < 50 < min(seen(run, r"accuracy: (\d+) %"))
    row = r"{} +([\d,]+) +(\d+) % +(\d+) % +([\d.]+) +([\d.]+) +\| +(\d+) % +(\d+) % +([\d.]+)"
    text = "\n".join(run.texts(c) for c in run.cells if c.cell_type == "code")
    table = {name: [float(v.replace(",", "")) for v in re.search(row.format(name), text).groups()] for name in share}
    plain = table["cross-entropy"]
    # measured: the weighted net's recall leads by 23 points or more, its precision is 10 to 17 %; the sum's lead in IoU is 0 to 0.11,
    # Dice's from −0.01 to 0.12; at equal calls the IoUs differ by −0.02 to 0.05
    others = [table[name] for name in table if name != "weighted"]
    assert table["weighted"][1] > max(row[1] for row in others) + 10 and table["weighted"][2] < 25
    assert table["weighted"][4] < min(row[4] for row in others)
    assert (
        min(table["Dice"][1], table["sum"][1]) > plain[1] + 2
        and min(table["Dice"][3], table["sum"][3]) >= plain[3] - 0.03
    )
    ahead = {name: iou - at_equal_calls for name, (_, _, _, iou, _, _, _, at_equal_calls) in table.items()}
    assert all(abs(gap) <= 0.08 for gap in ahead.values())
    assert ahead["weighted"] <= 0.01 and min(ahead["Dice"], ahead["sum"]) >= -0.01
    lies = {
        margin: seen(
            run, rf"margin +{margin}: p = ([\d.]+), Dice over all 19: ([\d.]+), over those that occur: ([\d.]+)"
        )
        for margin in (2, 7, 12)
    }
    assert lies == {2: [0.29, 0.93, 0.58], 7: [0.98, 0.82, 0.01], 12: [1.0, 0.14, 0.0]}


# --- lesson 05's experiments --------------------------------------------------------------------------------


@pytest.mark.lesson("05_deeplab")
def test_marker_accuracy_climbs_with_the_field_and_falls_into_holes(run_notebook):
    run = run_notebook("solutions", "05_deeplab")
    right, foretold = {}, {}
    for rates in ("1, 1, 1, 1", "1, 2, 2, 4", "1, 2, 4, 8", "3, 3, 3, 6"):
        right[rates], foretold[rates] = seen(
            run, rf"\[{rates}\]: ([\d.]+) of the discs' pixels are right, ([\d.]+) foretold"
        )
        assert abs(right[rates] - foretold[rates]) < 0.06
    plain, wider, full, holes = right.values()
    assert plain < 0.56 and wider > plain + 0.2 and full > max(wider + 0.1, 0.97) and holes < full - 0.2
    table = {
        r: seen(run, rf"\[{r}\] +(\d,\d+) +(48) × 48 +(\d+) +([\d.]+) %")
        for r in ("1, 1, 1, 1", "1, 1, 2, 2", "1, 2, 4, 4", "1, 2, 4, 8", "3, 3, 3, 6")
    }
    weights, sides, fields, shares = zip(*table.values())
    assert len(set(weights)) == 1 and set(sides) == {48} and list(fields) == [9, 13, 23, 31, 31]
    assert shares[:4] == (100,) * 4 and shares[4] < 13


@pytest.mark.lesson("05_deeplab")
def test_traded_strides_keep_the_old_map_and_pay_after_further_training(run_notebook):
    run = run_notebook("solutions", "05_deeplab")
    assert seen(run, r"the three maps differ by at most ([\d.e+-]+)")[0] < 1e-5
    score = r"mIoU ([\d.]+), within 3 px of an outline ([\d.]+)"
    (a, b), (c, d) = (seen(run, rf"output stride {s}, same weights +{score}") for s in (32, 8))
    assert abs(a - c) < 0.03 and abs(b - d) < 0.03
    (a, b), (c, d) = (seen(run, rf"output stride {s}, \d+ steps more +{score}") for s in (32, 8))
    assert (
        d > b + 0.015 and d / b > c / a > 0.97
    )  # measured: along outlines 0.028 to 0.060, 7 to 14 %; of mIoU −0.1 to 5 %


# --- lesson 03's experiment ---------------------------------------------------------------------------------


@pytest.mark.lesson("03_fcn")
def test_each_rung_of_the_ladder_gains_edges_and_the_whole_picture_less(run_notebook, measured):
    run = run_notebook("solutions", "03_fcn")
    whole, edges, thin, allowed = {}, {}, {}, {}
    for s in (32, 16, 8):
        whole[s], edges[s], thin[s] = seen(
            run, rf" ?{s}s: mIoU ([\d.]+), boundary IoU ([\d.]+), thin parts found at 5 % false alarms (\d+) %"
        )
        allowed[s] = seen(run, rf"stride +{s}: mIoU [\d.]+, boundary IoU ([\d.]+)")[0]
    measured(f"03, mIoU {whole}, boundary IoU {edges}, allowed by the grid {allowed}, thin % {thin}")
    # measured: a step gains 18 to 38 % of the edges' score, both 46 to 68 %, and 5 to 9 % of mIoU; thin parts gain 4 points or more
    assert edges[16] > 1.1 * edges[32] and edges[8] > 1.1 * edges[16] and thin[8] > thin[32] + 1
    assert edges[8] / edges[32] - 1 > max(0.35, 4 * (whole[8] / whole[32] - 1)) and whole[8] > whole[32]
    assert all(edges[s] < allowed[s] for s in edges) and allowed[8] > 2 * edges[8]
