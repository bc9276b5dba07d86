"""Getting an agent to run on a host that has nothing but a shell and a Python 3.9 or newer.

One command line and one write to its stdin, one round trip in all. The line finds a Python and starts a
stub in it; the stub reads exactly the archive's bytes from stdin and imports the agent from memory; the
agent reads its configuration behind them. No file is written, nothing secret is on a command line, no
terminal is allocated.

The archive (``packing``) holds every module twice: as source that is thinned (line numbers kept) and as
bytecode of *this* Python version. A host with the same version starts without compiling, which is most of
what an agent's start costs beyond Python's own; any other compiles the source.
"""

from __future__ import annotations

import json
import shlex
import zlib
from functools import cache
from typing import Any

from fleetpush.remote.packing import Kit, archive

CANDIDATES = (
    "/usr/bin/python3",
    "python3",
    *(f"python3.{minor}" for minor in range(14, 8, -1)),
    "/usr/local/bin/python3",
    "/usr/libexec/platform-python",
)
"""Where a Python is looked for, unless ansible_python_interpreter names one."""

NO_PYTHON, OLD_PYTHON, CUT_OFF = 97, 96, 95
"""Exit codes of the shell line and the stub."""

SILENCE = 20
"""Seconds, as of an agent's lease, after which the stub no longer waits for the rest of the archive: the
connection may have been cut without a word, and nobody would ever end it."""


_PROBE = "agent/probe.py"
_GOSSIP = (
    "net/talker.py",
    *(
        f"swarm/{name}.py"
        for name in (
            *("allowance", "choosing", "contact", "gossip"),
            *("members", "rumour", "seat", "telling"),
        )
    ),
)
_TREE = ("agent/tree", "swarm/tree.py", "swarm/exclude.py")
_RELEASES = ("agent/releases.py",)
_REUSE = ("agent/reuse",)
_TASKS = ("agent/tasks", "agent/cores.py")
_PROOF = ("agent/proof.py",)
_SOURCES = ("agent/tasks/sources.py",)


def agent_kit(
    *,
    gossip: bool = False,
    tree: bool = False,
    releases: bool = False,
    reuse: bool = False,
    tasks: bool = False,
    full: bool = False,
    sources: bool = False,
) -> Kit:
    """What an agent of a run is shipped: it has to read all of it, so no more than it may want.

    ``sources``: it has files that are deployed from there, and stays for the tasks about them.
    """
    parts = (
        (gossip, _GOSSIP),
        (tree, _TREE),
        (releases, _RELEASES),
        (reuse, _REUSE),
        (tasks, _TASKS),
        (full, _PROOF),
        (sources, _SOURCES),
    )
    unwanted = [name for wanted, names in parts if not wanted for name in names]
    return Kit(
        "fleetpush.agent.main",
        ("__init__.py", "record.py", "errors.py", "lean", "swarm", "net", "agent"),
        # The first are what only the CLI, or nobody at run time, needs of those.
        ("swarm/tracker.py", "swarm/tracking.py", "swarm/plan", "net/roles.py", _PROBE, *unwanted),
    )


AGENT = agent_kit()


def staying_kit(*, gossip: bool = False, sources: bool = False) -> Kit:
    """What an agent that stays is shipped: nobody knows yet all that it will be asked."""
    return agent_kit(
        gossip=gossip,
        tree=True,
        releases=True,
        reuse=True,
        tasks=True,
        full=True,
        sources=sources,
    )


PROBE = Kit(
    "fleetpush.agent.probe",
    (
        *("__init__.py", "record.py", "errors.py", "lean", "agent/__init__.py", _PROBE),
        *(
            f"agent/{name}.py"
            for name in ("control", "descent", "destination", "listening", "partial", "place")
        ),
        *("net/__init__.py", "net/binding.py"),
    ),
)

# Must parse under any Python from 2.6 on, and contain neither a single quote (it travels in single quotes
# through whatever login shell there is) nor a real newline (csh takes none within quotes).
_STUB_SOURCE = """\
import sys
a=sys.argv
if sys.version_info<(3,9):
 import os
 for i in range(3,len(a)):
  try:os.execvp(a[i],[a[i],"-I","-S","-c",a[2],a[1],a[2]]+a[i+1:])
  except OSError:pass
 sys.stderr.write("python "+sys.version.split()[0]+" is too old\\n");sys.exit(96)
import marshal,zlib,gc,select,posix
gc.disable()
def r(n):
 b=bytearray(n);v=memoryview(b)
 while v:
  k=select.select([0],[],[],SILENCE)[0] and posix.readv(0,[v])
  if not k:sys.exit(95)
  v=v[k:]
 return b
import _frozen_importlib_external as x
g,c,t,u=map(int,a[1].split(","))
same=r(g)==x.MAGIC_NUMBER
d=r(c),r(t)
m=marshal.loads(zlib.decompress(d[0],15,u) if same else zlib.decompress(d[1]))
del d
class F:
 def find_spec(self,n,p=None,t=None):
  if n in m:return type(sys.__spec__)(n,self,origin=m[n][0],is_package=m[n][1])
 def create_module(self,s):return None
 def exec_module(self,o):
  f,p,c=m[o.__name__];exec(c if same else compile(c,f,"exec",0,True,2),o.__dict__)
sys.meta_path.insert(0,F())
from ENTRY import main
main()
"""

_NO_CORE = "ulimit -S -c 0 2>/dev/null; "
"""A core file would hold the run's key. Agents with tasks see to it: what they start may leave one."""

_FIND = (
    "n=$1 s=$2; shift 2; "
    'while [ $# -gt 0 ]; do p=$1; shift; if command -v "$p" >/dev/null 2>&1; then '
    'exec "$p" -I -S -c "$s" "$n" "$s" "$@"; fi; done; exit 97'
)


@cache
def command(python: str | None = None, kit: Kit = AGENT) -> str:
    """The line for the login shell; ``python`` is the interpreter that the inventory asks for."""
    candidates = (python,) if python else CANDIDATES
    packed = archive(kit)
    # Whoever is told how much comes out makes room for it once.
    lengths = ",".join(map(str, (*map(len, packed), len(zlib.decompress(packed.codes)))))
    source = _STUB_SOURCE.replace("ENTRY", kit.entry).replace("SILENCE", str(SILENCE))
    stub = "exec(" + json.dumps(source) + ")"
    find = _FIND if "agent/cores.py" not in kit.left_out else _NO_CORE + _FIND
    words = ["/bin/sh", "-c", find, "sh", lengths, stub, *candidates]
    return "exec " + " ".join(shlex.quote(word) for word in words)


def payload(config: dict[str, Any], manifest: bytes, kit: Kit = AGENT) -> bytes:
    """What goes to stdin in one write: archive, lengths, configuration, manifest."""
    packed = json.dumps(config, separators=(",", ":")).encode()
    lengths = len(packed).to_bytes(4, "big") + len(manifest).to_bytes(4, "big")
    return b"".join((*archive(kit), lengths, packed, manifest))
