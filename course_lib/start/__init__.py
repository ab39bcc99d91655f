"""What runs before anything is installed, with the standard library alone.

- `cli`:          the commands of python3 -m course_lib; `errors` has what ends one
- `environment`:  .venv, made by `pip`
- `lab`:          a student's own copies of the lessons, corrected by `carry`, and JupyterLab
- `doctor`:       whether this machine can run the course
- `files`:        writing a file whole or not at all
"""
