"""What the course's notebooks import. Each part is a module of its own: data, models, train, plot, widgets, checks."""

import os

# Threads that wait then sleep: spinning ones slow training many times where other programs want the cores, too. torch
# reads it when it is loaded, so a lesson imports the course first.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"
