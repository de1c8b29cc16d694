"""The white list for OpenDSS scripts: hostile files are refused with file and line, circuits pass."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from federates.core.errors import ConfigError
from federates.distribution.dss_tokens import LINE_CHARACTERS
from federates.distribution.screen import DEPTH, FAULTS_SHOWN, FILE_BYTES, FILES, screen

ROOT = Path(__file__).resolve().parents[3]
HEAD = "clear\nnew circuit.c basekv=12.47 bus1=src\n"
"""Two lines, so that what follows is line 3."""
BODY = """\
new line.l1 bus1=src bus2=a length=1 units=mi r1=0.3 x1=0.6 r0=0.9 x0=1.8 c1=0 c0=0
new load.a bus1=a phases=3 kv=12.47 kw=300 kvar=100
set voltagebases=[12.47]
calcvoltagebases
"""


def written(folder: Path, text: str, name: str = "master.dss") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


HOSTILE: dict[str, tuple[str, str]] = {
    # programs of the system
    "editor": ("set editor=/bin/sh", "option 'editor'"),
    "editor in quotes": ('set editor="touch /tmp/x ;"', "option 'editor'"),
    "editor abbreviated": ("set edi=/bin/sh", "option 'edi'"),
    "editor after a good option": ("set mode=snapshot editor=/bin/sh", "option 'editor'"),
    "editor in odd case": ("SeT EdItOr=/bin/sh", "option 'editor'"),
    "editor by solve": ("solve editor=/bin/sh", "option 'editor'"),
    "editor without equals": ("set editor /bin/sh", "has no name"),
    "show": ("show voltages", "editor"),
    "show abbreviated": ("sh v", "editor"),
    "show in quotes": ('"show" voltages', "editor"),
    "show behind a closed block comment": ("/* harmless */ show voltages", "behind */"),
    "dump": ("dump", "editor"),
    "fileedit": ("fileedit master.dss", "editor"),
    "doscmd": ("doscmd touch /tmp/x", "command of the system"),
    "doscmd by name": ("DOScmd='touch /tmp/x'", "no command"),
    # libraries
    "usermodel": ("new generator.g bus1=src kv=12.47 model=6 usermodel=/tmp/x.so", "library"),
    "usermodel abbreviated": ("new generator.g bus1=src userm=/tmp/x.so", "library"),
    "usermodel ambiguous": ("new generator.g bus1=src user=/tmp/x.so", "can mean"),
    "usermodel on a continued line": ("new generator.g bus1=src\n~ model=6\n~ usermodel=x.so", "library"),
    "usermodel by more": ("new generator.g bus1=src\nmore usermodel=x.so", "library"),
    "usermodel set directly": ("new generator.g bus1=src\ngenerator.g.usermodel=x.so", "library"),
    "usermodel by edit": ("new generator.g bus1=src\nedit generator.g usermodel=x.so", "library"),
    "usermodel by place": ("new generator.g 3 src 12.47 100 1 0 6", "has no property name"),
    "usermodel name in quotes": ("new generator.g 'usermodel'=x.so", "cannot be a name"),
    "usermodel of a photovoltaic": ("new pvsystem.p bus1=src usermodel=x.so", "library"),
    "usermodel of a store": ("new storage.s bus1=src usermodel=x.so", "library"),
    "usermodel of a control": ("new capcontrol.k capacitor=k usermodel=x.so", "library"),
    "dynadll": ("new storage.s bus1=src dynadll=x.so", "library"),
    "dynadll abbreviated": ("new storage.s bus1=src dynad=x.so", "can mean"),
    "shaftmodel": ("new generator.g bus1=src shaftmodel=x.so", "library"),
    "userdata": ("new generator.g bus1=src userdata=(file=x)", "library"),
    "unknown class with a model": ("new indmach012.m bus1=src usermodel=x.so", "class 'indmach012'"),
    "dll as a property": ("new load.x bus1=src dll=x.so", "no property"),
    # other folders
    "cd": ("cd /tmp", "folder of this process"),
    "datapath": ("set datapath=/tmp", "folder of this process"),
    "compile": ("compile other.dss", "redirect"),
    "redirect absolute": ("redirect /etc/passwd", "absolute"),
    "redirect upwards": ("redirect ../other.dss", "leaves"),
    "redirect upwards in the middle": ("redirect parts/../../other.dss", "leaves"),
    "redirect with backslashes": ("redirect ..\\other.dss", "leaves"),
    "redirect to a drive": ("redirect C:\\other.dss", "absolute"),
    "redirect to a share": ("redirect \\\\host\\other.dss", "absolute"),
    "redirect to a home": ("redirect ~/other.dss", "absolute"),
    "redirect in brackets": ("redirect [/etc/passwd]", "absolute"),
    "redirect of a device": ("redirect fifo", "no ordinary file"),
    "redirect of a folder": ("redirect parts", "no ordinary file"),
    "redirect of nothing": ("redirect missing.dss", "does not exist"),
    "redirect of itself": ("redirect master.dss", "includes itself"),
    "redirect by a link": ("redirect link.dss", "link"),
    "redirect through a linked folder": ("redirect linked/secret.dss", "link"),
    "coordinates elsewhere": ("buscoords /etc/passwd", "absolute"),
    # data files
    "csvfile absolute": ("new loadshape.s npts=2 csvfile=/etc/passwd", "absolute"),
    "csvfile upwards": ("new loadshape.s npts=2 csv=../x.csv", "leaves"),
    "file in a list": ("new loadshape.s npts=2 mult=(file=/etc/passwd)", "absolute"),
    "file in a list with blanks": ("new loadshape.s npts=2 mult=[ FILE = ../x.csv ]", "leaves"),
    "file that holds no numbers": (
        "new loadshape.s npts=2 mult=(file=parts/secret.txt)",
        "one number a line",
    ),
    "file with an option": ("new loadshape.s npts=2 mult=(file=x.csv, col=2)", "'='"),
    "dblfile": ("new loadshape.s npts=2 dblfile=x.dbl", "binary"),
    "sngfile": ("new loadshape.s npts=2 sngfile=x.sng", "binary"),
    "dblfile in a list": ("new loadshape.s npts=2 mult=(dblfile=x.dbl)", "binary"),
    "loadshape that writes": ("new loadshape.s npts=2 mult=(1 1) action=dblsave", "write files"),
    "spectrum from a file": ("new spectrum.s numharm=1 csvfile=x.csv", "names a file"),
    # writing
    "export": ("export voltages /tmp/x.csv", "writes files"),
    "export abbreviated": ("exp v", "writes files"),
    "save": ("save circuit dir=/tmp/x", "writes files"),
    "plot": ("plot profile", "writes files"),
    "showexport": ("set showexport=yes", "writes files"),
    "trace of a control": ("new regcontrol.r transformer=t debugtrace=yes", "writes files"),
    "demand interval files": ("set demandinterval=true", "option 'demandinterval'"),
    # tricks of writing
    "hidden by a line comment": ("new load.x bus1=src kw=1 // nothing\nshow v", "editor"),
    "open quote": ('new load.x bus1="src', "missing"),
    "nested brackets": ("new load.x bus1=src zipv=[1 (2) 3]", "holds '('"),
    "bracket inside a word": ("new load.x bus1=sr(c)", "inside a word"),
    "bracket joined to a word": ("new load.x bus1=(src)show", "followed by a space"),
    "variable": ("var @x=usermodel", "not on the list"),
    "value of a variable": ("new load.x bus1=@x", "not allowed"),
    "two commands by a semicolon": ("new load.x bus1=src; show v", "not allowed"),
    "nul": ("new load.x bus1=src\x00 kw=1", "U+0000"),
    "escape": ("new load.x bus1=\x1bsrc", "U+001B"),
    "letters that look alike": ("sеt editor=x", "U+0435"),
    "full-width letters": ("ｓｈｏｗ v", "U+FF53"),
    "right-to-left mark": ("new load.x bus1=\u202esrc", "U+202E"),
    "line of another kind of end": ("solve\x0bshow v", "U+000B"),
    "carriage return": ("solve\rshow v", "editor"),
    "bytes that are no text": ("new load.x bus1=\udcff", "U+FFFD"),
    "very long line": ("new load.x bus1=" + "a" * LINE_CHARACTERS, "characters"),
    "endless comment": ("/* begins", "has no end"),
    "continuation of nothing": ("solve\n~ kw=1", "nothing stands above"),
    "definition twice": ("new load.x bus1=src\nnew load.X bus1=src", "defined already"),
    "second circuit": ("new circuit.d", "defined already"),
    "nothing but a comma": (",", "no command"),
    "nothing but an equals": ("=", "name is missing"),
    "query": ("? generator.g.usermodel", "not on the list"),
    "batch edit": ("batchedit generator..* usermodel=x.so", "not on the list"),
    "allocation": ("allocateloads", "not on the list"),
    "python": ("pyscript x.py", "not on the list"),
    "switching": ("open line.l1 term=1", "as it stands"),
    "hidden element": ("new load.x bus1=src enabled=no", "leave the element out"),
    "name that is a path": ("new load.../x bus1=src", "no CLASS.NAME"),
    "object elsewhere": ("new object=generator.g usermodel=x.so", "library"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Folder of a master file, with things beside it that must not be read."""
    inside = tmp_path / "feeder"
    (inside / "parts").mkdir(parents=True)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.dss").write_text("new load.secret bus1=src\n")
    (inside / "link.dss").symlink_to(outside / "secret.dss")
    (inside / "linked").symlink_to(outside)
    (inside / "parts" / "secret.txt").write_text("root:x:0:0\n")
    os.mkfifo(inside / "fifo")
    return inside


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_line_is_refused_with_its_place(folder: Path, name: str) -> None:
    line, reason = HOSTILE[name]
    path = folder / "master.dss"
    path.write_bytes((HEAD + BODY + line + "\n").encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError) as refused:
        screen(path)
    text = str(refused.value)
    assert reason in text
    first = 1 + (HEAD + BODY).count("\n")
    lines = range(first, first + line.count("\n") + line.count("\r") + 1)
    assert any(f"{path}:{number}: " in text for number in lines) or "has no end" in text
    assert text.count("\n") == 0, "one line is hostile"


def test_every_hostile_line_is_named_at_once(folder: Path) -> None:
    lines = [line for line, _ in HOSTILE.values() if line.isprintable() and line.isascii()]
    path = written(folder, HEAD + BODY + "".join(f"{line}\nsolve\n" for line in lines if len(line) < 99))
    with pytest.raises(ConfigError, match=r"and \d+ more") as refused:
        screen(path)
    assert str(refused.value).count("\n") == FAULTS_SHOWN


def test_a_fault_in_an_included_file_names_that_file(folder: Path) -> None:
    written(folder, "! fine\nshow voltages\n", "parts/deep/b.dss")
    written(folder, "redirect deep/b.dss\n", "parts/a.dss")
    path = written(folder, HEAD + BODY + "redirect parts\\a.dss\n")
    with pytest.raises(ConfigError, match=rf"^{folder}/parts/deep/b\.dss:2: command 'show'"):
        screen(path)


@pytest.mark.parametrize("depth", [DEPTH + 3])
def test_files_that_include_each_other_too_deep_are_refused(folder: Path, depth: int) -> None:
    for k in range(depth):
        written(folder, f"redirect f{k + 1}.dss\n", f"f{k}.dss")
    written(folder, "! end\n", f"f{depth}.dss")
    with pytest.raises(ConfigError, match=f"more than {DEPTH} deep"):
        screen(written(folder, HEAD + "redirect f0.dss\n"))


def test_a_circle_of_files_is_refused(folder: Path) -> None:
    written(folder, "redirect b.dss\n", "a.dss")
    written(folder, "redirect a.dss\n", "b.dss")
    with pytest.raises(ConfigError, match=r"b\.dss:1: 'a\.dss' includes itself"):
        screen(written(folder, HEAD + "redirect a.dss\n"))


def test_too_many_files_are_refused(folder: Path) -> None:
    written(folder, "! nothing\n", "a.dss")
    with pytest.raises(ConfigError, match=f"more than {FILES} files"):
        screen(written(folder, HEAD + "redirect a.dss\n" * (FILES + 1)))


def test_too_large_a_file_is_refused(folder: Path) -> None:
    path = written(folder, HEAD)
    with path.open("ab") as file:
        file.truncate(FILE_BYTES + 1)
    with pytest.raises(ConfigError, match="too large"):
        screen(path)


def test_a_script_without_a_circuit_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="defines no circuit"):
        screen(written(folder, "clear\nnew linecode.x nphases=3\n"))
    with pytest.raises(ConfigError, match="no such file"):
        screen(folder / "none.dss")


def texts(path: Path) -> list[str]:
    return [statement.text for statement in screen(path)]


def test_what_passes_is_written_again_in_full(folder: Path) -> None:
    script = """\
    CLEAR ! nothing before counts
    /* a block
    show voltages
    */
    New Object=Circuit.C  BasekV=12.47, Bus1 = src   // the source
    ~ pu=1.02
    new "line.L1" bus1=src.1.2.3 bus2=a normam=400 rmat={0.1 | 0 0.1 | 0 0 0.1}
    m length=2
    NEW load.a bus1='a' kv=(12.47) kw={100 3 *}
    load.a.kvar=30
    New EnergyMeter.m element=line.l1 terminal=1
    ~ option=R
    Set VoltageBases=[12.47, 0.48] mode=daily number=24
    calcv
    Solve mode=snap
    """
    assert texts(written(folder, script)) == [
        "new circuit.c basekv=12.47 bus1=src pu=1.02",
        "new line.l1 bus1=src.1.2.3 bus2=a normamps=400 rmatrix=[0.1 | 0 0.1 | 0 0 0.1] length=2",
        "new load.a bus1=[a] kv=[12.47] kw=[100 3 *]",
        "edit load.a kvar=30",
        "set voltagebases=[12.47, 0.48]",
        "calcvoltagebases",
    ]


def test_numbers_of_a_file_inside_the_folder_are_written_into_the_command(folder: Path) -> None:
    written(folder, "0.5\r\n1\n\n", "parts/day.csv")
    shapes = (
        "new loadshape.s npts=2 interval=1 mult=(file=parts/day.csv)\n"
        "new loadshape.t npts=2 csvfile=parts/day.csv\n"
    )
    found = texts(written(folder, HEAD + shapes))
    assert found[1:] == [
        "new loadshape.s npts=2 interval=1 mult=[0.5 1.0]",
        "new loadshape.t npts=2 mult=[0.5 1.0]",
    ]


def test_a_file_is_found_however_its_letters_are_cased(folder: Path) -> None:
    written(folder, "new linecode.c nphases=1\n", "Codes/LineCodes.DSS")
    assert texts(written(folder, HEAD + "redirect codes\\linecodes.dss\n"))[1:] == [
        "new linecode.c nphases=1"
    ]
    written(folder, "new linecode.d nphases=1\n", "Codes/linecodes.dss")
    with pytest.raises(ConfigError, match=r":3: 'LINECODES.dss' can be 'LineCodes.DSS' and 'linecodes.dss'"):
        screen(written(folder, HEAD + "redirect Codes/LINECODES.dss\n"))
    assert texts(written(folder, HEAD + "redirect Codes/linecodes.dss\n"))[1:] == ["new linecode.d nphases=1"]


def test_letters_of_another_case_lead_nowhere_outside(folder: Path) -> None:
    for name in ("Linked/secret.dss", "LINKED/Secret.DSS", "linked/SECRET.dss", "LINK.dss"):
        with pytest.raises(ConfigError, match=r":3: .* (leaves the master's folder|does not exist)"):
            screen(written(folder, HEAD + f"redirect {name}\n"))


def test_clear_forgets_what_stood_before(folder: Path) -> None:
    assert len(texts(written(folder, HEAD + BODY + HEAD))) == 1


WATCH = """\
import encodings.utf_8_sig, json, os, sys
from pathlib import Path
import dss
from federates.core.errors import TandemError
from federates.tools import feeder

root, master, how = Path(sys.argv[1]).resolve(), Path(sys.argv[2]), sys.argv[3]
STARTS = {"subprocess.Popen", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system"}
TOUCHES = {"os.chdir", "os.remove", "os.rename", "os.mkdir", "ctypes.dlopen", "socket.connect"}
seen, is_on = [], [True]

def watch(event, arguments):
    if not is_on[0]:
        return
    if event in STARTS | TOUCHES:
        seen.append([event, str(arguments[0])])
    if event == "open" and isinstance(arguments[0], str | bytes):
        path = Path(os.path.realpath(os.fsdecode(arguments[0])))
        writes = arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writes or not path.is_relative_to(root) and path.suffix not in {".py", ".pyc"}:
            seen.append([event, str(path)])

def unscreened():
    context = dss.DSS.NewContext()
    for line in master.read_text().splitlines():
        try:
            context.Text.Command = line
        except dss.DSSException:
            pass
    return "unscreened"

sys.addaudithook(watch)
try:
    end = unscreened() if how == "raw" else feeder.run({"path": str(master)})["status"]
except TandemError as error:
    end = type(error).__name__
is_on[0] = False
children = [path.read_text() for path in Path("/proc/self/task").glob("*/children")]
print(json.dumps({
    "end": end,
    "seen": seen,
    "children": len(" ".join(children).split()),
    "planted": "planted" in Path("/proc/self/maps").read_text(),
    "cwd": os.getcwd(),
}))
"""
"""A process that looks at itself: what Python opens or starts is heard; children, libraries and the working
folder, which the engine could reach beside Python, are looked at afterwards."""
pytest_linux = pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="looks into /proc")


def watched(root: Path, master: Path, cwd: Path, how: str = "screened") -> Mapping[str, object]:
    done = subprocess.run(
        [sys.executable, "-c", WATCH, str(root), str(master), how],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    found: Mapping[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def everything_below(folder: Path) -> dict[str, tuple[int, int]]:
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        found[str(path)] = (status.st_size, status.st_mtime_ns)
    return found


@pytest_linux
@pytest.mark.parametrize(
    ("extra", "end"),
    [
        ("", "ok"),
        ("set editor='touch {out}/started ;'\nshow voltages", "ConfigError"),
        ("new generator.g bus1=a kv=12.47 model=6 usermodel={out}/planted.so", "ConfigError"),
        ("redirect {out}/fifo", "ConfigError"),
        ("export voltages {out}/written.csv\nsave circuit dir={out}/saved\ncd {out}", "ConfigError"),
        ("new loadshape.s npts=2 mult=(file={out}/fifo)", "ConfigError"),
    ],
    ids=["circuit", "program", "library", "read", "write", "data"],
)
def test_nothing_outside_the_folder_is_read_written_or_started(
    folder: Path, tmp_path: Path, extra: str, end: str
) -> None:
    out = tmp_path / "outside"
    # whoever reads the pipe hangs, and whoever loads the planted library shows it among his mapped files
    os.mkfifo(out / "fifo")
    (out / "planted.so").write_bytes(next(Path(sys.prefix).rglob("*.so")).read_bytes())
    master = written(folder, HEAD + BODY + extra.format(out=out) + "\n")
    before = everything_below(tmp_path)
    found = watched(folder, master, out)
    assert found == {"end": end, "seen": [], "children": 0, "planted": False, "cwd": str(out)}
    assert everything_below(tmp_path) == before


@pytest_linux
def test_the_watch_sees_what_an_unscreened_script_does(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "outside"
    script = f"solve\nexport voltages {out}/written.csv\ncd {folder}\n"
    master = written(folder, HEAD + BODY + script)
    before = everything_below(out)
    found = watched(folder, master, out, "raw")
    assert found["cwd"] == str(folder)
    assert set(everything_below(out)) - set(before) == {str(out / "written.csv")}
