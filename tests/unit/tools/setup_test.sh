#!/usr/bin/env bash
# tools/setup.sh as an ordinary user: names what is missing, once, and does nothing when all is there.
# `id`, `sudo` and `dpkg-query` are stand-ins, so nothing is ever installed.
set -euo pipefail
setup=$PWD/tools/setup.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin" "$work/tools"
cp "$setup" "$work/tools/"
printf '#!/bin/sh\necho 1000\n' >"$work/bin/id"
printf '#!/bin/sh\nexit 1\n' >"$work/bin/sudo"
chmod +x "$work/bin"/*
export PATH=$work/bin:$PATH

fail() { echo "FAILED: $*" && exit 1; }

# pretend_installed PATTERN: packages that match are there.
pretend_installed() {
  cat >"$work/bin/dpkg-query" <<STAND_IN
#!/usr/bin/env bash
for p in "\$@"; do case \$p in -*) ;; $1) echo "\$p installed" ;; esac; done
exit 1  # as dpkg-query does when it does not know a package
STAND_IN
  chmod +x "$work/bin/dpkg-query"
}

pretend_installed 'lib*'
rc=0
text=$("$work/tools/setup.sh" --tests 2>&1 </dev/null) || rc=$?
[[ $rc == 1 ]] || fail "exit code $rc for missing packages, expected 1"
[[ $(grep -c 'missing' <<<"$text") == 1 ]] || fail "not one message: $text"
grep -q 'apt-get install .* cmake ' <<<"$text" || fail "no command that helps: $text"
! grep -q 'libopenmpi-dev' <<<"$text" || fail "names a package that is there: $text"

pretend_installed '*'
mkdir -p "$work/.deps/libtorch/torch/lib"
rc=0
text=$("$work/tools/setup.sh" 2>&1) || rc=$?
[[ $rc == 1 ]] || fail "exit code $rc for half a LibTorch, expected 1"
grep -q 'not complete' <<<"$text" || fail "does not say that LibTorch is not complete: $text"

touch "$work/.deps/libtorch/torch/lib/libtorch_cpu.so"
text=$("$work/tools/setup.sh" --tests --slurm 2>&1) || fail "fails although all is there: $text"
[[ -z $text ]] || fail "says something although there is nothing to do: $text"

rc=0
"$work/tools/setup.sh" --all 2>/dev/null || rc=$?
[[ $rc == 2 ]] || fail "exit code $rc for an unknown option, expected 2"
echo "set-up: as expected"
