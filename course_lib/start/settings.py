"""Which of the user's own settings stood in pip's way: the file or variable, in one sentence that says what to do."""

import os
import re
import subprocess

PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy")
# Settings that change what `pip install` installs, or where to; and what pip says where one of them stops it.
ODD = {
    "user": r"'--user' install|User site-packages are not visible",
    "target": r"'?--target'? and|[Cc]an(?:'t|not) (?:combine|use) .*--target",
    "prefix": r"[Cc]an(?:'t|not) (?:combine|use) .*--prefix|--prefix",
    "require-hashes": r"--require-hashes",
    "no-binary": r"Failed to build|metadata-generation-failed|subprocess-exited-with-error|Could not find a version",
    "only-binary": r"Could not find a version|No matching distribution",
    "platform": r"restrict the platform|--only-binary=:all: or --no-deps",
    "python-version": r"restrict the platform|--only-binary=:all: or --no-deps",
    "no-index": r"No matching distribution|Could not find a version",
}


class Setting:
    """One setting of pip: its name and value, and where it stands: a file, or a variable."""

    def __init__(self, name, value, place, file):
        self.name, self.value, self.place, self.file = name, value, place, file

    def away(self):
        """What to do to start without it."""
        if not self.file:
            return f"unset {self.place}"
        return f"take it out there, or set PIP_CONFIG_FILE={os.devnull}, which leaves pip's files out"


def of_pip(python):
    """The settings that the user made for pip, in files and variables: a list, the weakest first."""
    try:
        asked = [str(python), "-m", "pip", "config", "debug"]
        without = {**os.environ, "PIP_USER": "0"}  # else pip shows the user's own file alone
        said = subprocess.run(asked, env=without, capture_output=True, text=True, errors="replace", timeout=600).stdout
    except (OSError, subprocess.TimeoutExpired):
        return []
    files, kind, place = {"global": [], "user": [], "site": [], "env": []}, "", ""
    for line in said.splitlines():
        if section := re.match(r"(\w+):$", line):
            kind = section[1]
        elif path := re.match(r"  (\S.*), exists: ", line):
            place = path[1]
        elif (entry := re.match(r"    \w+\.([\w-]+): (.*)$", line)) and kind in files:
            files[kind].append(Setting(entry[1], entry[2], place, file=True))
    found = [setting for one in files.values() for setting in one]
    for name, value in os.environ.items():
        if name.startswith("PIP_") and value:
            found.append(Setting(name.removeprefix("PIP_").lower().replace("_", "-"), value, name, file=False))
    return found


def in_the_way(said, settings, network, environ=os.environ):
    """The sentence for a setting that explains what pip said, or None.

    said      all that pip said, one text
    settings  those of `of_pip`
    network   did pip fail to reach a server?
    """
    known = {setting.name: setting for setting in settings}
    if network:
        return _out_of_reach(said, known, environ)
    limit = known.get("constraint") or known.get("build-constraint")
    if limit and re.search(r"\(constraint\)|ResolutionImpossible|conflicting dependencies", said):
        asked = re.search(r"The user requested (\S+==\S+)|Cannot install (\S+==\S+)", said)
        what = next(filter(None, asked.groups())) if asked else "what the course needs"
        return (
            f"Your pip's constraints in {limit.value} (named in {limit.place}) don't allow {what}: "
            f"{limit.away()}, and start again."
        )
    for name, pattern in ODD.items():
        if name in known and known[name].value not in ("false", "0", "no") and re.search(pattern, said):
            found = known[name]
            what = f"Your pip's setting {name} = {found.value} ({found.place}) stands in the way"
            return f"{what}: {found.away()}, and start again."
    index = known.get("index-url")
    if index and re.search(r"No matching distribution found", said):
        lacks = re.search(r"No matching distribution found for (\S+)", said)
        return f"Your pip's index {index.value} ({index.place}) has no {lacks[1]}: {index.away()}, and start again."
    return None


def _out_of_reach(said, known, environ):
    """The sentence for a proxy or an index of the user's that does not answer, or None where it is neither."""
    proxy, variable = known.get("proxy"), next((name for name in PROXIES if environ.get(name)), None)
    if re.search(r"[Pp]roxy", said) and (proxy or variable):
        where, value = (proxy.place, proxy.value) if proxy else (variable, environ[variable])
        what = proxy.away() if proxy else f"unset {variable} where none is needed"
        return f"The proxy {value} ({where}) does not answer: put it right or {what}, and start again."
    silent = re.findall(r"host='([^']+)'", said)
    for name in ("index-url", "extra-index-url"):
        hosts = re.findall(r"://(?:[^/@\s]*@)?([^/:\s]+)", known[name].value) if name in known else []
        if hosts and (set(hosts) & set(silent) if silent else name == "index-url"):
            asks = f"Your pip asks {known[name].value} ({name} in {known[name].place}), which does not answer"
            return f"{asks}: {known[name].away()}, and start again."
    return None
