#!/usr/bin/env bash
# Everything the build needs, on Debian 12 or Ubuntu 24.04: packages, and LibTorch in .deps/libtorch.
# Does nothing when all is there. Needs root or sudo only when packages are missing.
#   tools/setup.sh [--tests] [--checks] [--bench] [--slurm]
# Without option: what a build needs. The options add what tests, .ci/run, benchmarks and the
# tests under a real Slurm need.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

packages=(g++ cmake ninja-build ccache pkg-config git python3 python3-pip
  libopenmpi-dev openmpi-bin libhdf5-openmpi-dev hdf5-tools libtbb-dev libeigen3-dev libyaml-cpp-dev
  nlohmann-json3-dev libcli11-dev libspdlog-dev libfmt-dev libsentencepiece-dev libpcre2-dev
  libutf8proc-dev libxxhash-dev libssl-dev)
for option in "$@"; do
  case $option in
    --tests) packages+=(libgtest-dev libgmock-dev) ;;
    # The formatter's version decides what is well formatted, so it is named.
    --checks) packages+=(clang-format-14 clang-tidy-14 codespell shellcheck) ;;
    --bench) packages+=(libbenchmark-dev) ;;
    --slurm) packages+=(slurm-wlm munge iproute2 procps) ;;
    *) echo "setup.sh: unknown option $option; allowed: --tests --checks --bench --slurm" >&2
       exit 2 ;;
  esac
done

missing_packages() {
  local installed
  installed=$(dpkg-query --show --showformat='${Package} ${db:Status-Status}\n' "${packages[@]}" \
    2>/dev/null | awk '$2 == "installed" {print $1}' || true)
  printf '%s\n' "${packages[@]}" | grep -vxF -f <(printf '%s\n' "${installed:-none}") || true
}

install_packages() {
  local -a missing as_root
  mapfile -t missing < <(missing_packages)
  [[ ${#missing[@]} -gt 0 ]] || return 0
  local advice="apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
  if [[ $(id -u) == 0 ]]; then
    as_root=(env)
  elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }; then
    as_root=(sudo)
  else
    echo "setup.sh: these packages are missing and this user may not install them: ${missing[*]}" >&2
    echo "Ask an administrator for: $advice" >&2
    exit 1
  fi
  echo "installing packages: ${missing[*]}"
  "${as_root[@]}" apt-get -qq update
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
}

if ! command -v dpkg-query >/dev/null; then
  echo "setup.sh: this is neither Debian nor Ubuntu; install the like of: ${packages[*]}" >&2
  echo "then run tools/fetch_libtorch.sh and use the CMake presets directly" >&2
  exit 1
fi
install_packages
if [[ ! -e .deps/libtorch/torch/lib/libtorch_cpu.so ]]; then
  if [[ -e .deps/libtorch ]]; then
    echo "setup.sh: .deps/libtorch is not complete; remove it and run this again" >&2
    exit 1
  fi
  echo "fetching LibTorch (0.5 GB) into .deps/libtorch"
  tools/fetch_libtorch.sh .deps/libtorch
fi
