"""python -m course_lib.grading PATH…: the grade command in the environment that is there, as in a container."""

from course_lib.start import cli

from . import command

if __name__ == "__main__":
    cli.start(command.main)
