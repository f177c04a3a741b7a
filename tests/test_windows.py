"""Nothing that a build imports is there on Unix alone: blocked in a process that believes to be on Windows."""

from __future__ import annotations

from pathlib import Path

from tests.processes import python

BLOCKED = """
import ast, importlib, importlib.util, os, pkgutil, sys, threading
import multiprocessing.context, pathlib, asyncio, subprocess, tempfile, concurrent.futures, getpass, socket, http.server
import numpy, PIL.Image, pyarrow, fsspec, openpyxl, rich.console, datasets, av, pydicom, nibabel
UNIX = {"resource", "fcntl", "pwd", "grp", "termios"}
for name in UNIX:
    sys.modules[name] = None  # importing it raises ImportError, as where it does not exist
import covid_datasets
ours = [found.name for found in pkgutil.walk_packages(covid_datasets.__path__, "covid_datasets.")]
sys.platform = "win32"
for name in ("fork", "getuid", "sched_getaffinity", "O_DIRECTORY", "register_at_fork"):
    if hasattr(os, name):
        delattr(os, name)
def no_kill(*_):
    raise AssertionError("os.kill ends processes on Windows, it does not ask whether they live")
os.kill = no_kill
# What runs a program is left out, and what imports torch, TensorFlow or MONAI, which would look for their DLLs;
# and what imports a library of an extra that is not installed here.
large = {"torch", "tensorflow", "tensorflow_datasets", "monai", "torchio"}
def left_out(library, known={}):
    if library not in known:
        known[library] = library in large or library not in UNIX and importlib.util.find_spec(library) is None
    return known[library]
def needs(name, known={}):
    if name not in known:
        known[name] = False
        with open(importlib.util.find_spec(name).origin, encoding="utf-8") as text:
            tree = ast.parse(text.read())
        imports = {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
        imports |= {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
        known[name] = any(each in ours and needs(each) or left_out(each.split(".")[0]) for each in imports)
    return known[name]
for name in ours:
    if not name.endswith("__main__") and not needs(name):
        importlib.import_module(name)
os.environ["USERNAME"] = "somebody"
built = covid_datasets.build_dataset("phantom", "small", cache_dir=sys.argv[1], num_proc=2)
again = covid_datasets.build_dataset("phantom", "small", cache_dir=sys.argv[1], num_proc=2)
assert built == again
rows = covid_datasets.load_dataset("phantom", "small", "all", framework="numpy", cache_dir=sys.argv[1])
print(built.rows, len(rows), len(ours), built.fingerprint)
"""


def test_every_module_imports_and_phantom_builds_without_what_only_unix_has(tmp_path: Path) -> None:
    done = python(BLOCKED, tmp_path)
    assert done.returncode == 0, done.stderr
    rows, loaded, modules, fingerprint = done.stdout.split()
    assert rows == loaded == "42"
    assert int(modules) > 100
    assert len(fingerprint) == 64
