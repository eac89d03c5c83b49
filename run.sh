#!/bin/sh
# Starts mitmproxy with mitmcache loaded. The first call makes .venv; later calls go straight to the proxy.
set -eu

usage() {
    cat <<'EOF'
usage: ./run.sh [web|dump|exec|env|doctor|setup|test|demo|bench|
                 dashboard|purge|stats|ls|show|explain|export|import|bucket] [arguments]

  web     mitmweb with mitmcache (the default: `./run.sh -p 9000` is `./run.sh web -p 9000`)
  dump    mitmdump with mitmcache
  exec    run a program through the cache: `./run.sh exec -- pytest`; starts a proxy if none is running
  env     what programs need to use the running proxy: `eval "$(./run.sh env)"`
  doctor  find out why calls are not cached: `./run.sh doctor -- python`
  setup   make .venv and stop; everything but test and bench then works offline
  test    run the tests; arguments go to pytest
  demo    show a miss and a hit, with a stand-in for the provider
  bench   measure

  dashboard
          print the link that opens the running proxy's dashboard
  purge, stats, ls, show, explain, export, import, bucket
          look at what is kept, and change it: see `./run.sh purge --help`. The same without run.sh:
          .venv/bin/mitmcache

Arguments of web and dump go to mitmproxy and win over what is set here: listen on 127.0.0.1, keep the
CA in certs/. See `./run.sh dump --help` and `./run.sh dump --options`.
EOF
}

say() { printf 'run.sh: %s\n' "$*" >&2; }

die() {
    say "$@"
    exit 1
}

self=$0
while [ -L "$self" ]; do
    link=$(readlink "$self")
    case $link in
        /*) self=$link ;;
        *) self=$(dirname "$self")/$link ;;
    esac
done
root=$(CDPATH='' cd -- "$(dirname -- "$self")" && pwd -P)
venv=$root/.venv

# --- the virtual environment ------------------------------------------------------------------------
# A copy of the lock file inside .venv, written last, says that what it names is installed. No stamp, no
# environment: one that was interrupted half-way is made again.

run_lock=requirements.txt
dev_lock=requirements-dev.txt # names all that run_lock names, in the same versions

stamped() { cmp -s "$root/$1" "$venv/$1"; }

ready() { [ -x "$venv/bin/python" ] && stamped "$run_lock" && stamped "$1"; }

# find_python MODULES: the path of a Python that really runs, is new enough and has these modules. Being on
# PATH is not enough: a pyenv shim runs only where its version is selected.
find_python() (
    cd "$root" # .python-version is pyenv's choice here
    probe="import sys, sqlite3, ssl, $1; assert sys.version_info >= (3, 12); print(sys.executable)"
    for name in python3.13 python3.12 python3.14 python3; do
        IFS=:
        set -f
        for dir in $PATH; do
            [ -x "$dir/$name" ] && "$dir/$name" -c "$probe" 2>/dev/null </dev/null && return 0
        done
        unset IFS
        set +f
        for python in "${PYENV_ROOT:-${HOME:-}/.pyenv}"/versions/*/bin/"$name"; do
            [ -x "$python" ] && "$python" -c "$probe" 2>/dev/null </dev/null && return 0
        done
    done
    return 1
)

# install LOCK: wheels alone, since what builds a source package comes without hashes.
install() (
    cd / # uv applies the pyproject.toml of the folder that it is called in
    if [ -e "$venv/bin/pip" ]; then
        set -- "$venv/bin/python" -m pip --disable-pip-version-check install -r "$root/$1"
    else
        set -- uv pip install --python "$venv/bin/python" -r "$root/$1"
    fi
    "$@" --quiet --require-hashes --only-binary :all:
)

# make_venv LOCK
make_venv() {
    rm -rf "$venv"
    python=$(find_python "ensurepip, venv" || find_python sys || true)
    if uv --version >/dev/null 2>&1; then
        # with no Python here uv fetches one, of the version in .python-version
        (cd "$root" && uv venv --quiet ${python:+--python "$python"} "$venv") && install "$1" && return
        say "uv could not do it; trying with python and pip"
        rm -rf "$venv"
    fi
    [ -n "$python" ] || die "no Python 3.12 or newer found. Install Python 3.13 (python.org, apt, brew, pyenv)," \
        "or uv (docs.astral.sh/uv), which fetches one, and call again."
    "$python" -c 'import ensurepip, venv' 2>/dev/null || die "$python cannot make a virtual environment." \
        "On Debian and Ubuntu: apt install python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
    "$python" -m venv "$venv" || die "$python could not make $venv"
    install "$1" || die "the packages of $1 could not be installed (see above); call again to retry"
}

# Waits for another first run, at most 15 minutes. The kernel lets go of the lock however its holder ends.
lock_venv() {
    exec 9<>"$root/$run_lock"
    waiting="run.sh: waiting for another run.sh, which is making .venv"
    if command -v flock >/dev/null; then
        flock -n 9 || { echo "$waiting" >&2 && flock -w 900 9; }
    else # macOS
        perl -e 'use Fcntl ":flock"; open my $f, "+<&=9" or exit 1; exit if flock $f, LOCK_EX | LOCK_NB;
            print STDERR "$ARGV[0]\n"; alarm 900; exit !flock $f, LOCK_EX' "$waiting"
    fi || die "it has been making .venv for 15 minutes; end it and call again"
}

# ensure LOCK: .venv holds what LOCK names. Touches neither pip nor the network when it already does.
ensure() {
    ready "$1" && return
    lock_venv
    if ready "$1"; then
        : # the run that we waited for did it
    elif [ -x "$venv/bin/python" ] && [ -f "$venv/$run_lock" ]; then
        say "updating .venv from $1"
        # on top, never anew: a proxy may be running from it
        stamped "$run_lock" || rm -f "$venv/$run_lock"
        rm -f "$venv/$dev_lock"
        install "$1" || die "the packages of $1 could not be installed (see above); call again to retry"
    else
        say "making .venv from $1 (once, about half a minute)"
        make_venv "$1"
    fi
    for name in "$1" "$run_lock"; do cp "$root/$name" "$venv/$name"; done
    exec 9>&-
}

# ensure_cli: .venv/bin/mitmcache, which finds Python and the package from where it lies itself, so that the
# clone may be moved, and linked to.
ensure_cli() {
    [ -x "$venv/bin/mitmcache" ] && return
    cat >"$venv/bin/mitmcache.$$" <<'EOF'
#!/bin/sh
'''exec' "$(dirname -- "$(readlink -f -- "$0")")/python" -P "$0" "$@"
' '''
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "addon"))
from mitmcache.cli import main

main(prog_name="mitmcache")
EOF
    chmod 755 "$venv/bin/mitmcache.$$"
    mv -f "$venv/bin/mitmcache.$$" "$venv/bin/mitmcache"
}

# --- the command ------------------------------------------------------------------------------------

command=web
case ${1-} in
    -h | --help | help) usage && exit ;;
    web | dump | setup | test | demo | bench) command=$1 && shift ;;
    exec | env | doctor) command=client ;;
    dashboard | purge | stats | ls | show | explain | export | import | bucket) command=mitmcache ;;
    -*) ;;
    *)
        if [ $# -gt 0 ]; then
            say "no such command: $1"
            usage >&2
            exit 2
        fi
        ;;
esac

case $command in
    test | bench) ensure "$dev_lock" ;;
    *) ensure "$run_lock" ;;
esac
ensure_cli

# What these run, or look at, is the user's own: all of the environment stays as it is.
[ "$command" != client ] || exec "$venv/bin/python" -P "$venv/bin/mitmcache" "$@"

# A shell set up to use this very proxy must not make the proxy use itself, or trust only its own CA.
unset http_proxy https_proxy all_proxy no_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY
unset SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE
umask 077 # the CA's key, and all that was said through the proxy

case $command in
    setup)
        say "ready: $venv"
        exit
        ;;
    test)
        # all of them spend most of their time waiting for processes
        [ $# -gt 0 ] || set -- -n auto --maxprocesses 4 --dist loadfile
        cd "$root" && exec "$venv/bin/python" -m pytest "$@"
        ;;
    demo) exec env PYTHONPATH="$root/addon" "$venv/bin/python" -m mitmcache.demo "$@" ;;
    bench) exec env PYTHONPATH="$root/addon" "$venv/bin/python" "$root/tests/bench" "$@" ;;
    mitmcache) exec "$venv/bin/python" -P "$venv/bin/mitmcache" "$@" ;;
esac

# mitmproxy takes --set first, then config.yaml of the confdir, then flags such as --listen-host: the later
# wins, and one option must not be --set twice. So a default set here with --set gives way to the other two
# by itself, and is left out where the user has a --set of it. Scripts add up instead, but a -s would hide a
# `--set scripts=`: those become -s.
given=' '
held=
for word; do
    shift
    case $held$word in
        --set)
            held=--set=
            continue
            ;;
        --set=scripts=*)
            spec=$held$word
            set -- "$@" -s "${spec#--set=scripts=}"
            ;;
        --set=*)
            spec=$held$word
            spec=${spec#--set=}
            given="$given${spec%%=*} "
            set -- "$@" --set "$spec"
            ;;
        *) set -- "$@" "$word" ;;
    esac
    held=
done
[ -z "$held" ] || set -- "$@" --set

set -- -s "$root/addon/main.py" "$@"
case $given in *' listen_host '*) ;; *) set -- --set listen_host=127.0.0.1 "$@" ;; esac
case $given in *' confdir '*) ;; *) set -- --set "confdir=$root/certs" "$@" ;; esac
if [ "$command" = web ] && { [ -n "${CI-}" ] || [ "$(uname)${DISPLAY-}${WAYLAND_DISPLAY-}" = Linux ]; }; then
    case $given in *' web_open_browser '*) ;; *) set -- --set web_open_browser=false "$@" ;; esac
fi

# through python, not by its first line, which names the folder that .venv was made in
exec "$venv/bin/python" "$venv/bin/mitm$command" "$@"
