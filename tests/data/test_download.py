"""Oxford-IIIT Pet from a server of our own that goes on, breaks off, sends something else, and refuses."""

import hashlib
import http.server
import io
import re
import shutil
import tarfile
import threading

import pytest
import torch
from torchvision.datasets import OxfordIIITPet

from course_lib import data
from course_lib.data import Menagerie, NoPets, OxfordPet, download, scenes
from course_lib.labels import TRIMAP
from tests.support.pets import pets


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves server.files, or what server.refuse, .ranges and .most make of it; server.asked: (path, Range) of each."""

    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Range")))
        content = self.server.files.get(self.path.rpartition("/")[2])
        if self.server.refuse:
            return self.send_error(self.server.refuse)
        start = int(re.match(r"bytes=(\d+)-", self.headers.get("Range") or "bytes=0-")[1]) if self.server.ranges else 0
        if start and start >= len(content):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        part = content[start:] if self.server.most is None else content[start : start + self.server.most]
        self.wfile.write(part)  # fewer than promised: the connection breaks off

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """{name: content} of the two archives of a tiny data set."""
    root = pets(tmp_path_factory.mktemp("pets")) / "oxford-iiit-pet"
    found = {}
    for name in ("images", "annotations"):
        with tarfile.open(fileobj=(packed := io.BytesIO()), mode="w:gz") as file:
            file.add(root / name, name)
        found[f"{name}.tar.gz"] = packed.getvalue()
    return found


@pytest.fixture
def server(archives, monkeypatch):
    """A server of the data set; torchvision's addresses and checksums are its own."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.files, running.asked = dict(archives), []
        running.refuse, running.ranges, running.most = None, True, None
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        base = f"http://127.0.0.1:{running.server_address[1]}/data"
        resources = tuple((f"{base}/{name}", hashlib.md5(content).hexdigest()) for name, content in archives.items())
        monkeypatch.setattr(OxfordIIITPet, "_RESOURCES", resources)
        monkeypatch.setattr(download, "PAUSE", 0.0)
        monkeypatch.setattr(download, "CHUNK", 512)
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        yield running
        running.shutdown()
        thread.join()


def folder_of(root):
    return root / "oxford-iiit-pet"


def names(root):
    return sorted(path.name for path in folder_of(root).iterdir()) if folder_of(root).exists() else []


def test_torchvision_still_names_two_archives_with_their_checksums():
    assert [url.rpartition("/")[2] for url, _ in OxfordIIITPet._RESOURCES] == ["images.tar.gz", "annotations.tar.gz"]
    assert all(re.fullmatch(r"[0-9a-f]{32}", md5) for _, md5 in OxfordIIITPet._RESOURCES)


def test_one_argument_downloads_it_once(server, tmp_path, capsys):
    dataset = scenes("train", (40, 48), data="oxford-pet", root=tmp_path)
    assert isinstance(dataset, OxfordPet) and len(dataset) == 6 and dataset[0][0].shape == (3, 40, 48)
    assert names(tmp_path) == ["annotations", "images"]  # archives are not kept
    assert "Unpacking images.tar.gz" in capsys.readouterr().out
    asked = len(server.asked)
    again = scenes("train", (40, 48), data="oxford-pet", root=tmp_path)
    assert torch.equal(again[3][1], dataset[3][1]) and len(server.asked) == asked == 2


def test_a_connection_that_breaks_off_is_taken_up_where_it_was(server, tmp_path, archives):
    server.most = 700
    assert len(scenes("val", data="oxford-pet", root=tmp_path)) == 4
    ranges = [asked for path, asked in server.asked if path.endswith("images.tar.gz")]
    assert ranges == [None] + [f"bytes={start}-" for start in range(700, len(archives["images.tar.gz"]), 700)]


def test_a_later_run_goes_on_from_what_is_there(server, tmp_path, archives):
    whole = archives["images.tar.gz"]
    folder_of(tmp_path).mkdir()
    (folder_of(tmp_path) / "images.tar.gz.part").write_bytes(whole[:1000])
    OxfordPet(root=tmp_path)
    assert server.asked[0] == ("/data/images.tar.gz", "bytes=1000-")

    shutil.rmtree(folder_of(tmp_path))
    folder_of(tmp_path).mkdir()
    (folder_of(tmp_path) / "images.tar.gz.part").write_bytes(whole)  # all of it, but not yet unpacked
    OxfordPet(root=tmp_path)

    shutil.rmtree(folder_of(tmp_path) / "images")
    (folder_of(tmp_path) / "images.tar.gz").write_bytes(whole)  # what a browser or torchvision downloaded
    asked = len(server.asked)
    OxfordPet(root=tmp_path)
    assert len(server.asked) == asked and names(tmp_path) == ["annotations", "images"]


def test_a_server_that_cant_go_on_sends_all_of_it_again(server, tmp_path, archives):
    server.ranges = False
    folder_of(tmp_path).mkdir()
    (folder_of(tmp_path) / "images.tar.gz.part").write_bytes(archives["images.tar.gz"][:1000])
    assert len(OxfordPet(root=tmp_path)) == 6


def test_a_part_of_something_else_is_found_by_its_checksum_and_fetched_anew(server, tmp_path):
    for size in (1000, 10**6):  # the second is longer than the file: the server has nothing to add to it
        shutil.rmtree(folder_of(tmp_path), ignore_errors=True)
        folder_of(tmp_path).mkdir()
        (folder_of(tmp_path) / "images.tar.gz.part").write_bytes(b"x" * size)
        assert len(OxfordPet(root=tmp_path)) == 6


def test_a_wrong_checksum_is_a_sentence_and_leaves_nothing(server, tmp_path):
    server.files["images.tar.gz"] = b"<html>Please log in</html>" * 100
    damaged = r"because images\.tar\.gz arrived damaged \(its checksum is wrong\) and was thrown away: "
    with pytest.raises(NoPets, match=damaged):
        OxfordPet(root=tmp_path)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda server: setattr(server, "refuse", 404), "the server answered 404 Not Found"),
        (lambda server: setattr(server, "refuse", 503), "the server answered 503 Service Unavailable"),
        (lambda server: setattr(server, "most", 0), "the connection broke off"),
    ],
)
def test_a_server_that_refuses_is_a_sentence_and_menagerie_takes_its_place(server, tmp_path, capsys, spoil, said):
    spoil(server)
    dataset = scenes("val", 32, data="oxford-pet", root=tmp_path, length=5, seed=3)
    line = capsys.readouterr().out
    assert isinstance(dataset, Menagerie) and torch.equal(dataset[2][0], scenes("val", 32, length=5, seed=3)[2][0])
    assert line.count("\n") == 1 and str(tmp_path) in line and said in line
    assert line.endswith(f"These are scenes of Menagerie instead, with the classes {', '.join(TRIMAP)}.\n")
    assert len(server.asked) == download.TRIES


def test_what_arrived_before_a_server_gave_up_is_kept(server, tmp_path, monkeypatch, archives):
    server.most = 500
    count = iter(range(100))
    monkeypatch.setattr(download.time, "sleep", lambda seconds: next(count) == 1 and setattr(server, "refuse", 503))
    with pytest.raises(NoPets, match=r"503 .*; the first 0 MB are kept, and the next try goes on from there: connect"):
        OxfordPet(root=tmp_path)
    assert (folder_of(tmp_path) / "images.tar.gz.part").stat().st_size == 1000
    server.refuse = server.most = None
    assert len(OxfordPet(root=tmp_path)) == 6 and "bytes=1000-" in [asked for _, asked in server.asked]


def test_no_network_at_all(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(OxfordIIITPet, "_RESOURCES", (("http://nowhere.invalid/images.tar.gz", "0" * 32),))
    with pytest.raises(NoPets) as caught:
        OxfordPet(root=tmp_path)
    text = str(caught.value)
    assert "and could not be downloaded, because " in text
    assert text.endswith('give its folder as root=, or use data="menagerie".')
    assert "\n" not in text and "urlopen" not in text and "Errno" not in text
    assert isinstance(scenes(data="oxford-pet", root=tmp_path, target="semantic"), Menagerie)
    assert ", ".join(data.SEMANTIC) in capsys.readouterr().out
    with pytest.raises(NoPets, match="is not in"):
        OxfordPet(root=tmp_path, download=False)


def test_a_folder_that_cant_be_written_is_a_sentence(server, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NoPets, match=r"because (Not a directory|File exists|No such file or directory)"):
        OxfordPet(root=tmp_path / "file")


def test_unpacking_that_is_cut_off_leaves_no_half(server, tmp_path, monkeypatch):
    def stop(*arguments, **settings):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(tarfile.TarFile, "extractall", stop)
        with pytest.raises(KeyboardInterrupt):
            OxfordPet(root=tmp_path)
    assert names(tmp_path) == ["images.tar.gz"]
    asked = len(server.asked)
    assert len(OxfordPet(root=tmp_path)) == 6 and len(server.asked) == asked + 1


def test_a_progress_bar_tells_name_and_size(server, tmp_path, monkeypatch):
    bars = []
    plain = download.bar

    def bar(total, name, have, **options):
        bars.append((name, have, total))
        return plain(total, name, have, **options)

    monkeypatch.setattr(download, "bar", bar)
    server.most = 900
    OxfordPet(root=tmp_path)
    size = len(server.files["images.tar.gz"])
    assert bars[:2] == [("images.tar.gz", 0, size), ("images.tar.gz", 900, size)]
