"""The child process: limits hold, failures name the file, order is kept, nothing is left behind, no name comes out."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pydicom
import pytest

from ovfrad.errors import InputError
from ovfrad.imaging.dicom import child, process, sandbox
from ovfrad.imaging.dicom.sandbox import decoded, facts

POSIX = pytest.mark.skipif(os.name != "posix", reason="needs pipes by name, or fork")


@pytest.fixture
def paths(series: Path) -> list[Path]:
    return sorted(series.iterdir())


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Path]:
    """A path whose opening never ends: what a hanging parser is to the parent."""
    path = tmp_path / "hanging.dcm"
    os.mkfifo(path)
    yield path


def places(parsed: Any) -> list[float]:
    return [one.values["ImagePositionPatient"][2] for one in parsed]


def refusal(action: Any) -> str:
    with pytest.raises(InputError) as error:
        action()
    return str(error.value)


def run(script: str, *arguments: Any, cwd: Path | None = None) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *map(str, arguments)], capture_output=True, cwd=cwd, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b""
    return done.stdout.decode()


def test_headers_come_in_order_and_without_names(paths: list[Path]) -> None:
    parsed = list(facts(paths))
    assert [one.path for one in parsed] == paths
    assert places(parsed) == [-300 + 2 * n for n in range(24)]
    assert b"Secret" in paths[0].read_bytes()
    assert "Secret" not in repr(parsed)


def test_values_are_what_pydicom_reads(paths: list[Path]) -> None:
    data = pydicom.dcmread(paths[3])
    (parsed,) = facts(paths[3:4])
    for keyword in set(parsed.values) - {"Person", "Pixels"}:
        value = data.get(keyword)
        plain = list(value) if isinstance(value, pydicom.multival.MultiValue) else value
        assert parsed.values[keyword] == plain, keyword


def test_what_is_no_dicom_has_no_values(tmp_path: Path) -> None:
    for content in (b"", b"short", b"not DICOM at all" * 30, bytes(5000)):
        path = tmp_path / "file"
        path.write_bytes(content)
        assert [one.values for one in facts([path])] == [{}]


@POSIX
def test_a_file_that_takes_too_long_is_refused_and_the_next_one_is_read(
    pipe: Path, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "DEADLINE_S", 0.3)
    read = facts([paths[0], pipe, paths[1]])
    assert next(read).path == paths[0]
    assert refusal(lambda: next(read)) == (
        "E_DICOM_LIMIT hanging.dcm: took more than 0.3 s to parse; "
        "no CT, segmentation or structure set takes that; export it again"
    )
    assert places(facts(paths[:2])) == [-300, -298]


@POSIX
def test_a_crash_is_a_refusal_of_its_file_and_other_questions_are_asked_again(pipe: Path, paths: list[Path]) -> None:
    others = facts(paths)
    assert next(others).path == paths[0]
    crashing = facts([pipe])
    started = sandbox._child
    assert started is not None
    timer = threading.Timer(0.3, started.process.kill)
    timer.start()
    assert refusal(lambda: next(crashing)) == (
        "E_DICOM_FILE hanging.dcm: cannot be read as DICOM: it broke the parser; copy or export it again"
    )
    assert [one.path for one in others] == paths[1:]
    assert started.process.returncode is not None


def test_a_question_given_up_does_not_shift_the_answers(paths: list[Path]) -> None:
    read = facts(paths)
    next(read)
    read.close()
    pixels = decoded([(paths[0], 0)])
    both = zip(facts(paths), facts(paths[::-1]), strict=True)
    assert [(a.path, b.path) for a, b in both] == list(zip(paths, paths[::-1], strict=True))
    np.testing.assert_array_equal(next(pixels), pydicom.dcmread(paths[0]).pixel_array)


def test_many_questions_and_large_answers_do_not_block(paths: list[Path]) -> None:
    """More than any pipe holds, both ways."""
    many = list(itertools.islice(itertools.cycle(paths), 3000))
    read, pixels = facts(many), decoded([(p, 0) for p in many[:300]])
    assert sum(1 for _ in zip(read, pixels, strict=False)) == 300
    assert sum(1 for _ in read) == 2699


def test_an_interrupt_does_not_shift_the_answers(paths: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    next(facts(paths[:1]))
    with monkeypatch.context() as patch:
        patch.setattr(process.Child, "_line", interrupted)
        with pytest.raises(KeyboardInterrupt):
            next(facts(paths[1:2]))
    assert places(facts(paths[2:4])) == [-296, -294]


def test_the_child_speaks_of_kinds_of_failure_and_repeats_no_text() -> None:
    secret = "Secret^Name"
    for error in (ValueError(secret), MemoryError(secret), RecursionError(secret), OSError(13, secret)):
        code, fault, remedy = child.refusal(error)
        assert code == ("E_DICOM_LIMIT" if isinstance(error, MemoryError | RecursionError) else "E_DICOM_FILE")
        assert "Secret" not in fault + remedy


def test_a_parser_that_fails_is_a_refusal(paths: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(question: Any) -> Any:
        raise KeyError("Secret^Name")

    monkeypatch.setattr(child, "answer", fail)
    assert child.respond({}) == [
        b'{"refused": ["E_DICOM_FILE", "cannot be read as DICOM", "copy or export it again"]}\n'
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit memory this way")
def test_the_limit_of_memory_holds() -> None:
    script = (
        "import numpy as np\nfrom ovfrad.imaging.dicom import child\nchild.limit()\n"
        "np.ones(700 << 20, np.uint8)\n"
        "try:\n    np.ones(1100 << 20, np.uint8)\nexcept MemoryError as error:\n    print(child.refusal(error)[0])"
    )
    assert run(script) == "E_DICOM_LIMIT\n"


@POSIX
def test_a_child_that_does_not_start_is_no_fault_of_the_file(
    paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox._at_exit()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/bin/false")
        with pytest.raises(RuntimeError, match="the child process that parses DICOM does not start"):
            next(facts(paths))
    assert places(facts(paths[:1])) == [-300]


def test_the_child_ends_with_its_process(paths: list[Path]) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom ovfrad.imaging.dicom import sandbox\n"
        "next(sandbox.facts([Path(sys.argv[1])]))\nprint(sandbox._child.process.pid)"
    )
    pid = int(run(script, paths[0]))
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@POSIX
def test_a_fork_gets_a_child_of_its_own(paths: list[Path]) -> None:
    script = """
import os, sys
from pathlib import Path
from ovfrad.imaging.dicom import sandbox
paths = [Path(p) for p in sys.argv[1:]]
read = sandbox.facts(paths)
first = next(read)
mine = sandbox._child.process.pid
pid = os.fork()
if not pid:
    assert [p.path for p in sandbox.facts(paths)] == paths
    assert sandbox._child.process.pid != mine
    sys.exit(0)
assert os.waitpid(pid, 0)[1] == 0
assert [p.path for p in read] == paths[1:]
assert sandbox._child.process.pid == mine
"""
    run(script, *paths)


def test_workers_of_joblib_have_their_own_children(paths: list[Path]) -> None:
    tasks = [joblib.delayed(_place)(path) for path in paths]
    assert joblib.Parallel(n_jobs=2)(tasks) == [-300 + 2 * n for n in range(24)]


def _place(path: Path) -> float:
    (parsed,) = facts([path])
    return float(parsed.values["ImagePositionPatient"][2])


def test_a_module_of_the_current_folder_is_not_imported(paths: list[Path], tmp_path: Path) -> None:
    """A folder or module named `dl` breaks the import of GDCM."""
    (tmp_path / "dl.py").write_text("raise SystemExit('imported')", encoding="utf-8")
    script = (
        "import sys\nsys.path.remove('')\nfrom pathlib import Path\nfrom ovfrad.imaging.dicom.sandbox import decoded\n"
        "print(next(decoded([(Path(sys.argv[1]), 0)])).shape)"
    )
    assert run(script, paths[0], cwd=tmp_path) == "(50, 46)\n"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_of_files_may_be_any_bytes(paths: list[Path]) -> None:
    odd = paths[0].with_name(os.fsdecode(b"sl\xff\nice \xc3\xa9.dcm"))
    paths[0].rename(odd)
    assert places(facts([odd])) == [-300]


def test_a_child_that_is_ended_before_it_answers_is_replaced(
    paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "_failed_starts", 0)
    sandbox._at_exit()
    first = sandbox._running().process
    first.kill()
    first.wait()
    assert [one.path for one in facts(paths)] == paths
    assert sandbox._running().process is not first


def test_long_padding_with_zeros_is_passed_over_and_anything_else_is_not(paths: list[Path]) -> None:
    whole = paths[0].read_bytes()
    paths[0].write_bytes(whole + bytes(3 << 20))
    assert next(facts(paths)).values["Rows"] > 0
    paths[0].write_bytes(whole + bytes(3 << 20) + b"\1")
    assert refusal(lambda: list(facts(paths))).startswith(f"E_DICOM_FILE {paths[0].name}")
