"""What the course's notebooks import. Each part is a module of its own: data, models, train, plot, widgets, checks."""

__version__ = "0.1.0"
