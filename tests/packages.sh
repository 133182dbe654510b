# shellcheck shell=sh
# Installs packages of Debian for tests/run and .ci/run, which read this file.

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# apt-get as root, if there are both. The arguments are what it is needed for.
need_apt() {
  if ! command -v apt-get >/dev/null || { [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; }; then
    echo "$0: install these first: $*" >&2
    exit 1
  fi
}

# Updates the lists of apt-get and installs packages while a policy denies to start what comes with them:
# <https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt>
install_packages() {
  need_apt "$@"
  as_root apt-get update -q
  as_root sh -eu -s -- "$@" <<'SCRIPT'
policy="${TESTS_RUN_POLICY:-/usr/sbin/policy-rc.d}"
kept="$policy.before-tests-run"
mark='# of tests/run, for the time of an installation'
restore() {
  if [ -e "$kept" ] || [ -L "$kept" ]; then
    mv -f "$kept" "$policy"
  elif grep -qsxF "$mark" "$policy"; then
    rm -f "$policy"
  fi
}
# What a run left that was killed.
restore
trap restore EXIT
trap 'exit 1' HUP INT TERM
if [ -e "$policy" ] || [ -L "$policy" ]; then mv "$policy" "$kept"; fi
printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy"
chmod 755 "$policy"
DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends --no-upgrade --no-remove "$@" </dev/null
SCRIPT
}
