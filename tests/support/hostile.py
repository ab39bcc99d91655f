"""A user's settings at their worst, for the tests to see none of: `python3 tests/support/hostile.py COMMAND …` runs a
command under them. Standard library alone."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

NOWHERE = "http://127.0.0.1:9"  # the port of discard: nobody answers
FILES = {
    "pip.conf": f"[global]\nconstraint = %s/constraints.txt\nindex-url = {NOWHERE}/simple\nuser = true\nno-binary = :all:\n",
    "constraints.txt": "torch<1\ntorchvision<0.1\ntiny<1\nsetuptools<1\n",
    "gitconfig": "[user]\n\tname = \n[commit]\n\tgpgsign = true\n[gpg]\n\tprogram = /nowhere/gpg\n[core]\n\tautocrlf = true\n"
    "\thooksPath = /nowhere\n\tfileMode = false\n[init]\n\tdefaultBranch = trunk\n[tag]\n\tgpgSign = true\n",
    "jupyter/jupyter_server_config.py": "raise RuntimeError('the user has set this')\n",
    "jupyter/jupyter_notebook_config.py": "raise RuntimeError('the user has set this')\n",
    "jupyter/nbgrader_config.py": "raise RuntimeError('the user has set this')\n",
    "ipython/profile_default/ipython_config.py": "c.InteractiveShell.xmode = 'Minimal'\n",
    "ipython/profile_default/startup/00.py": "import sys; print = None; sys.stderr.write('the user has set this')\n",
    "matplotlibrc": "backend: TkAgg\naxes.facecolor: red\nfont.size: 30\nfigure.dpi: 20\n",
    "python/course_lib.py": "raise RuntimeError('a module of the user')\n",
    "python/startup.py": "raise RuntimeError('the user has set this')\n",
    "pytest.ini": "[pytest]\naddopts = -x\n",
}


def settings(folder):
    """Write the files into a folder; the variables that lead to them, and others that are as bad."""
    for name, text in FILES.items():
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("%s", str(folder)))
    home = Path(folder, "Zuhause von Bär & Söhne")
    home.mkdir()
    home.chmod(0o555)  # not even its owner may write there
    at = {
        name: str(Path(folder, name))
        for name in ("pip.conf", "gitconfig", "jupyter", "ipython", "matplotlibrc", "python")
    }
    variables = dict(PIP_CONFIG_FILE=at["pip.conf"], PIP_REQUIRE_VIRTUALENV="1", PIP_TARGET=str(home), PIP_USER="1")
    variables |= dict(
        GIT_CONFIG_GLOBAL=at["gitconfig"], GIT_DIR="/nowhere/.git", GIT_AUTHOR_DATE="yesterday", GIT_EDITOR="false"
    )
    variables |= dict(JUPYTER_CONFIG_DIR=at["jupyter"], JUPYTER_PATH="/nowhere", JUPYTER_RUNTIME_DIR="/nowhere")
    variables |= dict(JUPYTER_TOKEN="theirs", JPY_SESSION_NAME="theirs.ipynb", IPYTHONDIR=at["ipython"])
    variables |= dict(MPLBACKEND="Agg", MATPLOTLIBRC=at["matplotlibrc"], MPLCONFIGDIR="/nowhere")
    variables |= dict(PYTHONPATH=at["python"], PYTHONSTARTUP=at["python"] + "/startup.py", PYTHONWARNINGS="error")
    variables |= dict(PYTHONHASHSEED="7", PYTHONIOENCODING="latin-1", PYTHONDONTWRITEBYTECODE="1", PYTHONUTF8="0")
    variables |= dict(OMP_NUM_THREADS="1", OMP_WAIT_POLICY="ACTIVE", MKL_NUM_THREADS="1", ATEN_CPU_CAPABILITY="default")
    variables |= dict(
        LC_ALL="C", LANG="C", LANGUAGE="de", TZ="Asia/Kathmandu", COLUMNS="20", TERM="dumb", FORCE_COLOR="1"
    )
    variables |= dict(
        PYTEST_ADDOPTS="-x --maxfail=1", XDG_CONFIG_HOME="/nowhere", XDG_CACHE_HOME="/nowhere", HOME=str(home)
    )
    variables |= dict(
        BROWSER="false", EDITOR="false", TORCH_HOME="/nowhere", CDPATH="/", GREP_OPTIONS="-v", BASH_ENV="/nowhere"
    )
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        variables |= {name: NOWHERE, name.upper(): NOWHERE}
    return variables


def main(command):
    """Run a command under these settings; its exit status."""
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
        variables = {**os.environ, **settings(folder)}
        # the module of the user's would shadow the course where it is run from elsewhere; here the checkout comes first
        return subprocess.run(command, env=variables, umask=0o077, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
