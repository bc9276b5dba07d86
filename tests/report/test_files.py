"""Reports replace each other whole, and are found to be impossible before the run, not after it."""

import os
import subprocess
import sys
import threading

import pytest

from fleetpush.errors import InputError
from fleetpush.report.files import check_writable, write_whole


def test_a_file_is_replaced_and_readable_for_all(tmp_path):
    path = tmp_path / "run.prom"
    path.write_text("before")
    old_mask = os.umask(0o077)
    try:
        write_whole(path, "after\n")
    finally:
        os.umask(old_mask)
    assert path.read_text() == "after\n"
    assert path.stat().st_mode & 0o777 == 0o644
    assert [p.name for p in tmp_path.iterdir()] == ["run.prom"]


def test_a_reader_holds_the_old_file_or_the_new_one(tmp_path):
    path = tmp_path / "run.prom"
    write_whole(path, "before\n")
    with path.open() as held:
        write_whole(path, "after\n")
        assert held.read() == "before\n"


def test_what_goes_wrong_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "run.prom"
    path.write_text("before")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fleetpush.report.files.os.fchmod", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, "after")
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["run.prom"]


def test_a_link_stays_and_its_target_is_replaced(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    check_writable("--junit", link)
    write_whole(link, "text")
    assert link.is_symlink()
    assert target.read_text() == "text"


def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    check_writable("--junit", pipe)
    heard = []
    reader = threading.Thread(target=lambda: heard.append(pipe.read_text()))
    reader.start()
    write_whole(pipe, "text")
    reader.join()
    assert heard == ["text"]
    assert pipe.is_fifo()


@pytest.mark.parametrize("piped", [True, False])
def test_standard_output_is_written_to_whatever_it_is(tmp_path, piped):
    program = (
        "import sys; from pathlib import Path; from fleetpush.report.files import *;"
        "path = Path('/dev/stdout'); check_writable('--junit', path); write_whole(path, 'text')"
    )
    path = tmp_path / "out"
    with path.open("a") as out:
        inode = os.fstat(out.fileno()).st_ino
        where = subprocess.PIPE if piped else out
        done = subprocess.run([sys.executable, "-c", program], stdout=where, check=True, text=True)
    assert (done.stdout if piped else path.read_text()) == "text"
    assert path.stat().st_ino == inode


def test_a_path_that_cannot_be_written_is_found_before_the_run(tmp_path):
    for path, words in [
        (tmp_path, "is a directory"),
        (tmp_path / "none" / "run.xml", f"there is no directory {tmp_path}/none"),
        ("/proc/sys/run.xml", "may not be written to"),
    ]:
        with pytest.raises(InputError, match=f"--junit .*{words}"):
            check_writable("--junit", type(tmp_path)(path))
