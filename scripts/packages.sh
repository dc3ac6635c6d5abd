# shellcheck shell=sh
# Debian packages: which ones, and the installing of those that are missing.
# For ../run and ../check, which source this.

# What the daemon, its command line and the client libraries are built from, and what ./run proves them with.
# shellcheck disable=SC2034 # used by those who source this
build_packages="gcc libc6-dev meson ninja-build pkgconf libuv1-dev libmsgpack-dev libnanopb-dev libinih-dev
    libjansson-dev uthash-dev python3 python3-msgpack"

# What ./check needs besides.
# shellcheck disable=SC2034
check_packages="check clang clang-format curl gcovr libcap2-bin nanopb nginx-light procps protobuf-compiler python3-hypothesis
    g++ libclang-rt-14-dev libglib2.0-dev libprotobuf-dev mariadb-server mypy openssl patch postgresql python3-aiohttp python3-asyncpg
    python3-httpx python3-protobuf python3-pytest python3-pytest-asyncio python3-redis python3-uvicorn python3-uvloop redis-server
    redis-tools scdoc shellcheck socat systemd valgrind"

say() {
    printf '%s: %s\n' "$(basename -- "$0")" "$*" >&2
}

missing_packages() {
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p')
    for package in "$@"; do
        printf '%s\n' "$installed" | grep -Fqx -- "$package" || printf '%s\n' "$package"
    done
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# Packages with a service start it when they are installed, unless this file forbids it.
forbid_services() {
    policy=/usr/sbin/policy-rc.d
    [ ! -e "$policy" ] || return 0
    # shellcheck disable=SC2016 # $0 is for the inner shell
    as_root sh -c 'printf "#!/bin/sh\nexit 101\n" >"$0" && chmod 755 "$0"' "$policy"
    trap 'as_root rm -f "$policy"' EXIT
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
        install --no-install-recommends -y "$@"
}

# install_missing PACKAGE... : silent when all are there.
install_missing() (
    missing=$(missing_packages "$@" | tr '\n' ' ')
    [ -n "$missing" ] || return 0
    say "installing $missing"
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
        say "this needs root or sudo: apt-get install $missing"
        return 1
    fi
    log=$(mktemp)
    forbid_services
    # The package lists may be missing or old: then the second try has new ones.
    # shellcheck disable=SC2086 # a list of words
    if ! apt_install $missing >"$log" 2>&1 </dev/null; then
        say "fetching the package lists"
        as_root apt-get -qq update >>"$log" 2>&1 </dev/null || : # some source may fail that is not needed
        if ! apt_install $missing >>"$log" 2>&1 </dev/null; then
            cat "$log" >&2
            say "apt-get failed, see above"
            return 1
        fi
    fi
    rm -f "$log"
)
