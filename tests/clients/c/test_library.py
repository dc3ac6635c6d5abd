"""The shared library and its header as another project meets them."""
import os
import pathlib
import re
import shlex
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


def test_the_archive_defines_only_what_is_exported():
    listed = subprocess.run(["nm", "-g", "--defined-only", LIBRARY.parent / "libnetbroker.a"],
                            capture_output=True, text=True, check=True)
    names = {line.split()[-1] for line in listed.stdout.splitlines() if len(line.split()) == 3}
    assert names == exported() - {"NETBROKER_0"}


def declared():
    text = "".join(re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S) for header in [HEADER, *VALUES])
    return set(re.findall(r"^[a-z][\w *]*?\b((?:netbroker|nb)_\w+)\(", text, flags=re.M)) - {"netbroker_reply_fn", "netbroker_channel_fn"}


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


def pkg_config(installed, *arguments):
    """What pkg-config says of the library in its prefix, which lies under another directory."""
    directory = next(installed.rglob("netbroker.pc")).parent
    found = subprocess.run(["pkg-config", *arguments, "netbroker"], capture_output=True, text=True, check=True,
                           env={**os.environ, "PKG_CONFIG_PATH": str(directory), "PKG_CONFIG_SYSROOT_DIR": str(installed)})
    return shlex.split(found.stdout)


HEADERS = ["netbroker.h", *(f"netbroker/{name}.h" for name in (
    "block_list", "cidr", "epoll", "glib", "ip", "list_json", "list_text", "rule", "shared_list", "socket_address", "uv"))]


def test_all_public_headers_are_installed(installed):
    include = next(installed.rglob("netbroker/ip.h")).parents[1]
    assert sorted(str(path.relative_to(include)) for path in include.rglob("*.h")) == sorted(HEADERS)


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
@pytest.mark.parametrize("header", HEADERS)
def test_each_header_is_valid_cplusplus_by_itself(compiler, header, installed):
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not installed")
    glib = subprocess.run(["pkg-config", "--cflags-only-I", "glib-2.0"], capture_output=True, text=True, check=True)
    others = glib.stdout.replace("-I", "-isystem").split() if header == "netbroker/glib.h" else []
    subprocess.run([compiler, "-x", "c++", "-std=c++11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only",
                    *pkg_config(installed, "--cflags"), *others, "-"],
                   input=f"#include <{header}>\n", text=True, check=True)


@pytest.mark.skipif(SANITIZED, reason="a sanitized library needs a sanitized program")
@pytest.mark.parametrize("linkage", ["shared", "static"])
def test_a_program_is_built_by_pkg_config_alone(linkage, installed, tmp_path):
    flags = pkg_config(installed, "--cflags", "--libs", *(["--static"] if linkage == "static" else []))
    source = tmp_path / "program.c"
    source.write_text("#include <netbroker.h>\n#include <netbroker/ip.h>\n#include <errno.h>\n"
                      "/* The program's own, and nobody else's. */\nint nb_malloc(void) { return 1; }\n"
                      "int main(void)\n{\n    struct netbroker_session *session;\n    return nb_malloc() - 1 + "
                      "(netbroker_connect(\"/nonexistent/socket\", NULL, &session) != -ENOENT) + "
                      "(nb_ip_version(\"::1\", 3) != 6);\n}\n")
    options = ["-static"] if linkage == "static" else [f"-Wl,-rpath,{next(installed.rglob('libnetbroker.so')).parent}"]
    subprocess.run(["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", source, "-o", tmp_path / "program", *options, *flags], check=True)
    subprocess.run([tmp_path / "program"], check=True)
