"""Nobody's environment: what tests, and all that they start, see of the machine's user. `become()` is called before all else.

Kept are the variables by which programs are found and that say what the machine is; everything else of the user's is
left behind: pip's, git's, Jupyter's, IPython's and matplotlib's settings, proxies, locale, time zone, PYTHON*, OMP_*,
the umask, the home folder. Standard library alone, so that nothing is imported before.
"""

import atexit
import functools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

KEPT = {
    *(
        "PATH",
        "LD_LIBRARY_PATH",
        "TMPDIR",
        "TEMP",
        "TMP",
        "USER",
        "LOGNAME",
        "CI",
        "MENAGERIE_SOURCE",
        "CUDA_VISIBLE_DEVICES",
    ),
    *("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "PROGRAMFILES", "PROCESSOR_ARCHITECTURE"),  # Windows
}
# Where packages come from, for the few tests that install the course's own packages as a reader does.
PLACES = ("index-url", "extra-index-url", "find-links", "trusted-host", "cert", "client-cert")
PLACES += ("no-index", "default-timeout", "timeout")
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
USERS = ".users.json"
users = {}  # the user's environment, as it was
shared = None  # the folder of all processes of one run of the suite


def become():
    """Leave the user's environment behind, in this process and for all that it starts."""
    if users:
        return
    global shared
    told = Path(os.environ.get("HOME", "/"), USERS)
    is_worker = "PYTEST_XDIST_WORKER" in os.environ  # whose parent has become nobody, and told it whose tests these are
    users.update(json.loads(told.read_text()) if is_worker and told.exists() else os.environ)
    beside = {k: v for k, v in os.environ.items() if k.startswith("PYTEST_XDIST_")}
    home = Path(tempfile.mkdtemp(prefix="nobody-"))
    shared = told.parent if is_worker else home
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    (home / USERS).touch(mode=0o600)
    (home / USERS).write_text(json.dumps(dict(users)))
    (home / ".gitconfig").write_text("[safe]\n\tdirectory = *\n[init]\n\tdefaultBranch = main\n")
    for name in set(os.environ) - KEPT:
        del os.environ[name]
    os.environ.update(
        HOME=str(home),
        USERPROFILE=str(home),
        LC_ALL="C.UTF-8",
        TZ="UTC",
        GIT_CONFIG_NOSYSTEM="1",
        GIT_CONFIG_GLOBAL=str(home / ".gitconfig"),
        PIP_CONFIG_FILE=os.devnull,
        MPLCONFIGDIR=str(home / ".matplotlib"),
        # waiting threads sleep: where other processes want the cores too, spinning ones cost tenfold
        OMP_WAIT_POLICY="PASSIVE",
        **beside,
    )
    if (
        int(beside.get("PYTEST_XDIST_WORKER_COUNT", 1)) > 1
    ):  # two notebooks on a thread each end sooner than on two each
        os.environ["OMP_NUM_THREADS"] = "1"
    os.umask(0o022)
    if hasattr(time, "tzset"):
        time.tzset()


@functools.cache
def package_places():
    """Variables by which pip finds packages from here: the user's index, mirrors, certificates, cache and, where that
    answers, proxy; nothing else of pip's settings. None where no package can be had."""
    pip = [sys.executable, "-m", "pip"]
    theirs = {k: v for k, v in users.items() if not k.startswith("PYTHON")}
    listed = subprocess.run([*pip, "config", "list"], env=theirs, capture_output=True, text=True).stdout
    found = {}
    for line in listed.splitlines():  # such as global.index-url='https://…', the strongest last
        key, _, value = line.partition("=")
        if (name := key.rpartition(".")[2]) in PLACES:
            found["PIP_" + name.upper().replace("-", "_")] = value.strip("'").replace("\\n", " ")
    cache = subprocess.run([*pip, "cache", "dir"], env=theirs, capture_output=True, text=True)
    if cache.returncode == 0 and os.access(cache.stdout.strip(), os.W_OK):
        found["PIP_CACHE_DIR"] = cache.stdout.strip()
    found |= {k: v for k, v in users.items() if k in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")}
    proxies = {k: v for k, v in users.items() if k.lower() in PROXIES}
    if not all(_answers(v) for k, v in proxies.items() if k.lower() != "no_proxy"):
        proxies = {}  # what lies on this machine would come all the same, and the rest would not
    for places in (found | proxies, found, {}):
        with tempfile.TemporaryDirectory() as folder:
            asked = [*pip, "download", "-q", "--no-deps", "--retries", "1", "-d", folder, "six==1.17.0"]
            if subprocess.run(asked, env={**os.environ, **places}, capture_output=True).returncode == 0:
                return places
    return None


def _answers(proxy):
    """Whether something listens at a proxy's address."""
    parts = urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    try:
        socket.create_connection((parts.hostname, parts.port or 80), timeout=60).close()
    except (OSError, ValueError, TypeError):
        return False
    return True
