# %% [markdown]
# # 00 · Start here
#
# A photograph goes in. For every pixel, a word comes out: *animal*, *background*, *border between them*. That is **semantic segmentation**, and you will build networks that do it, from convolutions up.
#
# This first lesson is short. It shows that your machine is ready, how exercises and checks work, and the data that every lesson uses. By its end your own functions will have made a picture like the one below.
#
# **You will be able to** run a lesson, read a check, ask for a hint, hand in your work; count, colour and overlay a mask.
#
# **You need** some Python, and to have met PyTorch tensors. **Time:** 30 minutes. **Points:** 10.
#
# Click the cell below and press **Shift + Enter**. It runs, and the next cell is selected. Go on like that through the notebook.

# %% given="setup"
import platform

import psutil
import torch
import torch.nn.functional as F
import torchvision

from course_lib import data, plot, train, widgets
from course_lib.checks.lesson_00 import check

# %% tags=["demo"]
image, mask = data.scenes("val", size=256)[2]
plot.overlay(image, mask, classes=data.TRIMAP, opacity=0.5, show=["pet", "border"], title="Animal and border, over the photograph")

# %% [markdown]
# ## 1 · Is the machine ready?

# %%
memory = psutil.virtual_memory()
print(f"Python {platform.python_version()}, torch {torch.__version__}, torchvision {torchvision.__version__}")
print(f"{torch.get_num_threads()} CPU threads")
print(f"{memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GB of memory free")
print(f"networks will run on: {train.device()}")

# %% [markdown]
# `cpu` is fine. Every lesson is made to run on two CPU cores and 2 GB of memory, and its experiments take less than a minute. Where there is a GPU, they move to it by themselves and do a larger run.
#
# ## 2 · The data: Menagerie
#
# The course carries its own small data set. **Menagerie** is made of photographs of animals, cut out with care, and photographs of places to put them. A *scene* is composed when you ask for it: an animal, a place, a position. Because the course did the cutting and pasting, it knows the right label of every pixel exactly.

# %%
scenes = data.scenes("train", size=128)
image, mask = scenes[0]
print("image:", tuple(image.shape), image.dtype, f"from {image.min():.2f} to {image.max():.2f}")
print("mask: ", tuple(mask.shape), mask.dtype, "with labels", mask.unique().tolist())
print("the labels mean:", dict(enumerate(scenes.classes)))

# %% [markdown]
# Remember these shapes; they hold in every lesson. A picture is `(3, H, W)`: red, green and blue, each from 0 to 1. A batch of pictures is `(B, 3, H, W)`. A **mask** is `(H, W)`, a batch of masks `(B, H, W)`: whole numbers of type `int64`, and each number is the *name* of a class. One number names none: 255 marks a pixel that nobody labelled, because it was too unclear to say, or because the picture was padded there.
#
# This kind of mask is a **trimap**: 0 for the pet (the name says *pet*; here it is any animal), 1 for the background, 2 for a border band where the two meet. The three classes are those of the Oxford-IIIT Pet data set (which numbers them from 1). Lessons can use it instead of Menagerie where there is a network.
#
# The next cell is **folded**: its code only draws a picture, and you need not read it. Run it like any other. A click on its bar shows the code.

# %% tags=["demo"] fold="Eight scenes of the training split"
images, masks = data.stack(data.scenes("train", size=128), 8)
plot.grid(list(images), columns=4, title="Eight scenes of the training split")

# %% [markdown]
# Ask for the same scene twice and you get the same pixels. A scene follows from the split, a seed and its number alone. And no animal or place of the training split is ever seen in the validation split, so a good score there cannot come from memory.
#
# The same scene can be labelled in several ways. A **semantic** map says what kind of thing each pixel is. An **instance** map tells two animals of one kind apart. A **box** is four numbers, and says only roughly where.

# %% tags=["demo"]
several = data.scenes("train", size=128, animals=3, target=("semantic", "instance", "boxes"))
image, target = several[5]
print("boxes, as x1 y1 x2 y2:", target["boxes"]["boxes"].tolist())
titles = ["the scene", "semantic map", "instance map (each animal its colour)"]
plot.grid([image, target["semantic"], target["instance"]], titles)

# %% [markdown]
# Now look at one scene closely. Move the opacity, and switch classes on and off.

# %% tags=["demo"]
image, mask = data.scenes("val", size=256)[3]
widgets.overlay(image, mask, classes=data.TRIMAP)

# %% [markdown] statement="count_pixels" minutes=4 level=1
# ## 3 · Your first exercise
#
# An **exercise** says what to write. Its cell holds a stub: replace the line `raise NotImplementedError` by your own code, and run the cell. The **check** in the cell after it tells what holds already. A check never stops the notebook, and you can run it as often as you like.
#
# ### Count the pixels
#
# Write `count_pixels(mask, classes)`. It returns how many pixels each class has.
#
# - `mask`: `int64` tensor of any shape, `(H, W)` or `(B, H, W)`. Its labels are 0 … `classes − 1`, and 255 for pixels that nobody labelled;
# - `classes`: how many classes there are.
#
# Return an `int64` tensor of shape `(classes,)`. A class that does not occur counts 0. Pixels labelled 255 are not counted. Leave the mask as it was.
#
# For example, with three classes the mask `[[0, 0, 2], [255, 2, 2]]` gives `tensor([2, 0, 3])`.

# %% answer="count_pixels"
def count_pixels(mask, classes):
    """How many pixels of a mask have each label 0 … classes − 1: int64 tensor (classes,)."""
    ### BEGIN SOLUTION
    labelled = mask[mask != 255]
    return torch.bincount(labelled, minlength=classes)
    ### END SOLUTION

# %% check="count_pixels" seed=928879872967203478

# %% [markdown]
# A check has three answers. **Not attempted** means that the stub is still there. **Not yet** names the parts that hold and, for the others, an input, what was expected and what came back. **Passed** means all points. The same parts are tested again on other inputs when your work is graded, so a function that only knows the example will not do.
#
# When you are stuck, ask for a **hint**. There are three for each exercise. Each call gives the next one, from a nudge to nearly the answer. Hints cost nothing.

# %%
check.count_pixels.hint()

# %% [markdown]
# Type `check.` in a cell of your own and press **Tab** to see what this lesson can check.
#
# What share of the pixels does each class have? Take two hundred scenes.

# %% tags=["demo"]
images, masks = data.stack(data.scenes("train", size=64), 200)
shares = torch.histc(masks.float(), bins=3, min=0, max=2) / masks.numel()
for name, share in zip(data.TRIMAP, shares):
    print(f"{name:12}{100 * share:4.1f} %  {'█' * int(60 * share)}")

# %% [markdown] statement="colour" minutes=6 level=1
# Background has three quarters of the pixels. A network that always says "background" is right on all of those, and has learned nothing. Keep that in mind for the lessons on losses and metrics.
#
# ### Colour a label map
#
# Labels are names, so they need a legend: a **palette** with one colour for each class. Write `colour(mask, palette)`.
#
# - `mask`: `int64` tensor `(H, W)` with labels 0 … *n* − 1 and perhaps 255;
# - `palette`: float tensor `(n, 3)`: row *i* is the colour of class *i*, as red, green, blue from 0 to 1.
#
# Return a float tensor `(3, H, W)`. Pixels labelled 255 are white, `(1, 1, 1)`. Leave both arguments as they were.
#
# For example, with the palette `[[1, 0, 0], [0, 0, 0.5]]` the mask `[[0, 1, 255]]` becomes a red, a dark blue and a white pixel: `[[[1, 0, 1]], [[0, 0, 1]], [[0, 0.5, 1]]]`.

# %% answer="colour"
def colour(mask, palette):
    """Paint a mask (H, W) with the colours of a palette (n, 3): float (3, H, W), 255 is white."""
    ### BEGIN SOLUTION
    unlabelled = mask == 255
    picture = palette[mask.masked_fill(unlabelled, 0)]
    picture[unlabelled] = 1.0
    return picture.permute(2, 0, 1)
    ### END SOLUTION

# %% check="colour" seed=1031201187552189365

# %% [markdown] statement="blend" minutes=4 level=1
# ### Overlay it
#
# To compare a mask with its photograph, lay one over the other. Write `blend(image, colours, opacity)`.
#
# - `image` and `colours`: float tensors `(3, H, W)` from 0 to 1;
# - `opacity`: a number from 0 to 1. At 0 only the image is seen, at 1 only the colours. In between, every value goes that share of the way from the image to the colours.
#
# Return a new float tensor `(3, H, W)`; leave the arguments as they were.
#
# For example, a pixel of 0.2 under a colour of 1.0 at opacity 0.25 becomes 0.4: a quarter of the way.

# %% answer="blend"
def blend(image, colours, opacity):
    """Lay colours over an image, both (3, H, W), at an opacity from 0 to 1."""
    ### BEGIN SOLUTION
    return image + opacity * (colours - image)
    ### END SOLUTION

# %% check="blend" seed=586302090828560772

# %% [markdown]
# Look at your own work. The next cell makes the picture from the top of this lesson with your three functions.

# %% tags=["demo"]
palette = torch.tensor([[0.90, 0.62, 0.00], [0.00, 0.00, 0.00], [0.34, 0.71, 0.91]])
image, mask = data.scenes("val", size=256)[3]
try:
    painted = blend(image, colour(mask, palette), 0.5)
    display(plot.grid([painted], [f"pixels of pet, background, border: {count_pixels(mask, 3).tolist()}"]))
except Exception:
    print("Your picture appears here once all three checks say passed.")

# %% [markdown] quiz="average" answer="b"
# ## 4 · Checkpoint
#
# A **quiz** has one right answer and is worth a point. Write its letter in place of the question mark, and run both cells.
#
# **Question 1.** A mask is turned into decimal numbers and made half as large by averaging each 2 × 2 block. On the edge between background (1) and border (2) a block holds two of each. What comes out?
#
# - a) The border wins, as the higher label.
#   > Averaging does not choose. It computes (1 + 1 + 2 + 2) / 4.
# - b) 1.5, which is no class at all.
#   > Yes. Labels are names. The mean of two names is not a name, so masks are resized by picking, not by mixing.
# - c) A soft edge, which is just what one wants.
#   > For a photograph, yes. A mask has no soft edges: 1.5 is not "half border".

# %% [markdown] quiz="shapes" answer="c"
# **Question 2.** A batch holds eight pictures of 64 × 64 pixels and their masks. Which shapes are right?
#
# - a) pictures (8, 64, 64, 3), masks (8, 64, 64, 1)
#   > Many image libraries put colours last. PyTorch, and this course, put channels before height and width.
# - b) pictures (8, 3, 64, 64), masks (8, 3, 64, 64)
#   > A mask has one label for each pixel, not three.
# - c) pictures (8, 3, 64, 64), masks (8, 64, 64)
#   > Yes. Channels come first, and a mask needs no channel.

# %% [markdown] quiz="validation" answer="a"
# **Question 3.** Why does no animal appear in both the training and the validation split?
#
# - a) Otherwise a network could score well by remembering cut-outs.
#   > Yes. A score on animals that it has never met tells what it has learned about animals.
# - b) It makes validation faster.
#   > The number of scenes decides that, not who is in them.
# - c) It keeps the two splits equally large.
#   > They need not be equally large, and they aren't.

# %% [markdown]
# **An interviewer asks:** "A colleague resized all our masks with bilinear interpolation and rounded the result to whole numbers, so that every label is valid again. Is that all right?"
#
# Answer in two to four sentences. *Graded by hand, 1 point:* a concrete case in which the result is wrong, and why.

# %% [markdown] written="rounding" points=1
# No. Between a pixel of class 0 and a pixel of class 2 the interpolated value is 1, which is a valid label and the wrong class: along the edge of pet and border a line of background appears. Rounding hides that the numbers were mixed, it does not undo it. Masks are resized by nearest neighbour, which only ever copies labels that are there.

# %% [markdown]
# ## 5 · Save, come back, hand in
#
# JupyterLab saves this notebook every two minutes, and whenever you press **Ctrl + S** (⌘ S on a Mac). Your answers stay in it when you close the window. To go on later, start the course again and choose *Run → Run All Cells*: the code runs again, and your answers are still there.
#
# Machines on Binder and Colab forget. There, the first code cell says how to keep your work.
#
# To hand in, choose *Kernel → Restart Kernel and Run All Cells…* once (on Colab *Runtime → Restart session and run all*): it shows you what the grader will see. Then save, and run the last cell. It writes the file for your instructor, says what is still unanswered, and gives a link to the file. With that file you can also go on elsewhere: put it in place of the notebook there.
#
# **Next:** lesson 01 goes from one word for a picture to a label for every pixel.
