#!/usr/bin/env bash
# Sets up what is missing, says each thing before it does it, and leaves alone what is there already.
#
#   tools/setup.sh venv   the Python packages, in .venv                               (make check)
#   tools/setup.sh demo   and a broker, a container engine, a static busybox          (make demo)
#   tools/setup.sh test   and what the tests hold the product against                 (make test)
#
# For Debian and Ubuntu, as root or with sudo. PYTHON=… chooses the interpreter for .venv.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" DEBIAN_FRONTEND=noninteractive

readonly ENGINE_UP_WITHIN_S=60
readonly STAMP=.venv/.millwright
readonly APT_LOG=run/apt.log

say() { printf 'set-up: %s\n' "$*"; }

die() {
    printf 'set-up: %s\n' "$*" >&2
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

has_systemd() { [ -d /run/systemd/system ]; }

as_root() {
    if [ "$EUID" -eq 0 ]; then
        "$@"
    elif has sudo; then
        sudo --preserve-env=DEBIAN_FRONTEND "$@"
    else
        die "this needs root: run it as root, or install sudo ($*)"
    fi
}

# --- Debian's packages -----------------------------------------------------------------------------------------------

# Debian asks policy-rc.d before it starts a package's own service. A broker or a registry would take a port that nobody
# asked for; and where there is no systemd none is started, because Docker's init script fails there and its package
# with it.
without_services() {
    local policy=/usr/sbin/policy-rc.d unwanted='*' status=0
    if [ -e "$policy" ]; then
        "$@"
        return
    fi
    has_systemd && unwanted='mosquitto|docker-registry'
    # shellcheck disable=SC2016  # $1 is the policy's own
    printf '#!/bin/sh\ncase "$1" in %s) exit 101 ;; esac\nexit 0\n' "$unwanted" | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    "$@" || status=$?
    as_root rm -f "$policy"
    return "$status"
}

apt_get() {
    mkdir -p "$(dirname "$APT_LOG")"
    as_root apt-get -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@" >>"$APT_LOG" 2>&1
}

apt_update() {
    say "reading the package lists (apt-get update)"
    apt_get update
}

apt_known() {
    local package
    for package in "$@"; do
        [ -n "$(apt-cache madison "$package" 2>/dev/null)" ] || return 1
    done
}

apt_install() {
    has apt-get || die "missing: $1; there is no apt-get here to install it"
    apt_known "$1" || apt_update
    # Docker recommends AppArmor's parser, without which no container starts on most machines.
    local with=--no-install-recommends
    [ "$1" != docker.io ] || with=--install-recommends
    # Lists that are too old name files that are gone: read them again and try once more.
    without_services apt_get install -y "$with" "$1" ||
        { apt_update && without_services apt_get install -y "$with" "$1"; } ||
        die "apt-get could not install $1 (all of it: $APT_LOG)
$(tail -n 15 "$APT_LOG")"
    disable_service "$1"
}

disable_service() {
    case "$1" in mosquitto | docker-registry) ;; *) return 0 ;; esac
    if has_systemd; then
        say "keeping the machine's own $1 service off; Millwright starts its own"
        as_root systemctl disable --quiet --now "$1" || true
    fi
}

# need PACKAGE REASON COMMAND: install the package where the command is missing.
need() {
    has "$3" && return
    say "installing Debian's $1: $2"
    apt_install "$1"
}

need_static_busybox() {
    local busybox
    busybox=$(command -v busybox || true)
    if [ -n "$busybox" ] && ! ldd "$busybox" >/dev/null 2>&1; then
        return
    fi
    say "installing Debian's busybox-static: the demo's example image is made of it"
    apt_install busybox-static
}

# What drives the browser is a Node.js of its own, which the packages of a desktop would have brought this along for.
need_libatomic() {
    if ldconfig -p | grep -q 'libatomic\.so\.1'; then
        return
    fi
    say "installing Debian's libatomic1: what drives the browser needs it"
    apt_install libatomic1
}

need_browser() {
    has chromium || has chromium-browser && return
    local package=chromium
    apt_known chromium || apt_update
    apt_known chromium || package=chromium-browser # Ubuntu's name
    say "installing $package: the tests look at the page as a person does"
    apt_install "$package"
}

# --- Python ----------------------------------------------------------------------------------------------------------

recent_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    local python
    for python in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        if has "$python" && recent_enough "$python"; then
            command -v "$python"
            return
        fi
    done
    return 1
}

need_python() {
    find_python >/dev/null && return
    if ! has python3; then
        say "installing Debian's python3"
        apt_install python3
        find_python >/dev/null && return
    fi
    die "Python 3.11 or newer is needed and python3 is $(python3 -V 2>&1). Where the distribution has a newer one beside \
it (Ubuntu 22.04: apt-get install python3.11-venv), install that; PYTHON=/path/to/python names any other."
}

need_venv_module() {
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1 && return
    local package=python3-venv
    [ "$1" = /usr/bin/python3 ] || package="$(basename "$1")-venv"
    say "installing Debian's $package: Python's venv module"
    apt_install "$package"
}

wanted_stamp() { printf '%s %s\n' "$PWD" "$(cat pyproject.toml constraints.txt | sha256sum | cut -d' ' -f1)"; }

# Scripts in a virtual environment hold its path, and a Python that was upgraded away leaves a dead one.
drop_dead_venv() {
    [ -d .venv ] || return 0
    if [ -f "$STAMP" ] && [ "$(cut -d' ' -f1 "$STAMP")" != "$PWD" ]; then
        say "making .venv again: it was made in another place"
    elif ! recent_enough .venv/bin/python; then
        say "making .venv again: its Python is gone or older than 3.11"
    else
        return 0
    fi
    rm -rf .venv
}

set_up_venv() {
    drop_dead_venv
    if [ ! -d .venv ]; then
        need_python
        local python
        python=$(find_python)
        need_venv_module "$python"
        say "making .venv with $("$python" -V) ($python)"
        "$python" -m venv .venv
    fi
    [ "$(cat "$STAMP" 2>/dev/null)" != "$(wanted_stamp)" ] || return 0
    say "installing the Python packages of constraints.txt into .venv"
    .venv/bin/python -m pip install -qq --no-input --disable-pip-version-check -c constraints.txt -e '.[dev]'
    wanted_stamp >"$STAMP"
}

# --- the container engine --------------------------------------------------------------------------------------------

engine_answers() { docker info >/dev/null 2>&1; }

engine_answers_root() { engine_answers || { [ "$EUID" -ne 0 ] && as_root docker info >/dev/null 2>&1; }; }

# dockerd that was killed leaves its id and containerd's; it takes any process that has the number now for the old one.
clear_stale_pid() {
    local file=$1 program=$2 pid
    [ -f "$file" ] || return 0
    pid=$(cat "$file")
    if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != "$program" ]; then
        as_root rm -f "$file"
    fi
}

await_engine() {
    local deadline=$((SECONDS + ENGINE_UP_WITHIN_S))
    until engine_answers_root; do
        [ "$SECONDS" -lt "$deadline" ] || die "no Docker Engine answered within $ENGINE_UP_WITHIN_S s; \
its log: run/dockerd.log, or journalctl -u docker"
        sleep 0.3
    done
}

start_engine() {
    if has_systemd; then
        say "starting the Docker Engine (systemctl start docker)"
        as_root systemctl start docker
        await_engine
        return
    fi
    say "starting the Docker Engine by hand, as there is no systemd here: its log is run/dockerd.log"
    mkdir -p run
    clear_stale_pid /var/run/docker.pid dockerd
    clear_stale_pid /var/run/docker/containerd/containerd.pid containerd
    as_root setsid --fork dockerd >run/dockerd.log 2>&1 </dev/null
    await_engine
    cp /var/run/docker.pid run/dockerd.pid # for whoever wants to end it
}

join_docker_group() {
    engine_answers && return
    local me
    me=$(id -un)
    if ! id -nG "$me" | tr ' ' '\n' | grep -qx docker; then
        say "adding $me to the group docker, which may do on this machine what root may"
        as_root usermod -aG docker "$me"
    fi
}

set_up_engine() {
    if ! has docker || ! engine_answers_root; then
        need docker.io "the container engine" dockerd
        need docker-cli "the container engine's command line" docker
        engine_answers_root || start_engine
    fi
    join_docker_group
}

# ---------------------------------------------------------------------------------------------------------------------

set_up_demo() {
    need mosquitto "the MQTT broker" mosquitto
    need_static_busybox
    set_up_engine
}

set_up_test() {
    need mosquitto-clients "a foreign MQTT client to test against" mosquitto_pub
    need docker-registry "a registry on loopback, to pull from" docker-registry
    need apache2-utils "htpasswd, for that registry's users" htpasswd
    need iproute2 "networks that the tests cut" ip
    docker compose version >/dev/null 2>&1 || need docker-compose "brings up compose.yaml" docker-compose
    need debootstrap "makes the base image that the Dockerfile is built from" debootstrap
    need_browser
    need_libatomic
}

case "${1:-}" in
    venv) set_up_venv ;;
    demo)
        set_up_venv
        set_up_demo
        ;;
    test)
        set_up_venv
        set_up_demo
        set_up_test
        ;;
    *) die "usage: tools/setup.sh venv|demo|test" ;;
esac
