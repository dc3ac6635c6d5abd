"""The shared library and its header as another project meets them."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
HEADER = HERE.parents[2] / "clients" / "c" / "netbroker.h"
ADDRESS = HERE.parents[2] / "core" / "net" / "address"
BLOCK_LIST = HERE.parents[2] / "core" / "net" / "block_list"
VALUES = [ADDRESS / "ip.h", ADDRESS / "cidr.h", ADDRESS / "socket_address.h",
          *(BLOCK_LIST / f"{name}.h" for name in ("block_list", "list_json", "list_text", "rule", "shared_list"))]
LIBRARY = pathlib.Path(os.environ["NETBROKER_LIBRARY"])
PROGRAM = "int main() { struct netbroker_options options = {}; return options.events || netbroker_connect(\"/\", &options, 0) == 0; }"
SANITIZED = b"__asan_init" in LIBRARY.read_bytes() or b"__tsan_init" in LIBRARY.read_bytes()


def exported():
    listed = subprocess.run(["nm", "-D", "--defined-only", LIBRARY], capture_output=True, text=True, check=True)
    return {line.split()[-1].partition("@")[0] for line in listed.stdout.splitlines()}


def declared():
    text = "".join(re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S) for header in [HEADER, *VALUES])
    return set(re.findall(r"^[a-z][\w *]*?\b((?:netbroker|nb)_\w+)\(", text, flags=re.M)) - {"netbroker_reply_fn"}


def test_exactly_the_declared_functions_are_exported():
    assert exported() - {"NETBROKER_0"} == declared()


def test_the_soname_has_the_major_version():
    headers = subprocess.run(["objdump", "-p", LIBRARY], capture_output=True, text=True, check=True).stdout
    assert re.search(r"SONAME\s+libnetbroker\.so\.0\n", headers)
    assert "msgpack" not in headers and "libuv" not in headers


@pytest.mark.parametrize("compiler, language", [
    ("cc", ["-x", "c", "-std=c11"]), ("c++", ["-x", "c++", "-std=c++11"]), ("clang++", ["-x", "c++", "-std=c++20"])])
def test_a_program_needs_the_header_alone(compiler, language, tmp_path):
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not installed")
    source = f'#include "{HEADER}"\n{PROGRAM.replace("{}", "{0}") if compiler == "cc" else PROGRAM}\n'
    warnings = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-Wno-missing-field-initializers"]
    link = ["-c"] if SANITIZED else []
    libraries = [] if SANITIZED else [str(LIBRARY), f"-Wl,-rpath,{LIBRARY.parent}"]
    subprocess.run([compiler, *language, *warnings, *link, "-", "-o", tmp_path / "program", "-x", "none", *libraries],
                   input=source, text=True, check=True)
    if not SANITIZED:
        assert subprocess.run([tmp_path / "program"]).returncode == 0


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Where the library and its headers lie once they are installed; the prefix is what a packager would give."""
    root = tmp_path_factory.mktemp("installed")
    subprocess.run(["meson", "install", "--no-rebuild", "--quiet", "--tags", "devel,runtime", "--destdir", root],
                   cwd=os.environ["NETBROKER_BUILD"], check=True, capture_output=True)
    return root


@pytest.mark.skipif(SANITIZED, reason="a sanitized library needs a sanitized program")
@pytest.mark.parametrize("compiler, language", [("cc", ["-x", "c", "-std=c11"]), ("c++", ["-x", "c++", "-std=c++11"])])
def test_values_can_be_used_as_installed(compiler, language, installed, tmp_path):
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not installed")
    include = next(installed.rglob("netbroker/ip.h")).parents[1]
    library = next(installed.rglob("libnetbroker.so")).parent
    warnings = ["-Wall", "-Wextra", "-Werror", "-pedantic"]
    subprocess.run([compiler, *language, *warnings, f"-I{include}", HERE / "use_values.c", "-x", "none",
                    f"-L{library}", f"-Wl,-rpath,{library}", "-lnetbroker", "-o", tmp_path / "program"], check=True)
    printed = subprocess.run([tmp_path / "program"], capture_output=True, text=True, check=True).stdout
    assert printed.split() == ["2001:db8::1", "10.0.0.0-10.255.255.255", "[::1]:8080", "192.0.2.0/24", "1"]
