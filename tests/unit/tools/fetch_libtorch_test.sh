#!/usr/bin/env bash
# tools/fetch_libtorch.sh: what it asks pip for and what it keeps, with a stand-in for pip that unpacks
# empty files, so that nothing is downloaded.
set -euo pipefail
fetch=$PWD/tools/fetch_libtorch.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
cat >"$work/bin/python3" <<'STAND_IN'
#!/usr/bin/env bash
echo "$*" >"$PIP_ARGUMENTS"
while [[ $1 != --target ]]; do shift; done
mkdir -p "$2"/{torch/{lib,include/fmt,nn},nvidia/{cu13,nccl}/lib,torch-2.11.0.dist-info}
touch "$2"/torch/lib/lib{torch_cpu,torch_cuda,c10,c10_cuda,torch_python}.so \
  "$2"/nvidia/cu13/lib/lib{cudart,cupti,cublas}.so.13 "$2"/nvidia/nccl/lib/libnccl.so.2
STAND_IN
chmod +x "$work/bin/python3"
export PATH=$work/bin:$PATH PIP_ARGUMENTS=$work/arguments
cd "$work"

fail() { echo "FAILED: $*" && exit 1; }
there() { for file in "$@"; do [[ -e $file ]] || fail "no $file"; done; }
gone() { for file in "$@"; do [[ ! -e $file ]] || fail "$file is left"; done; }

"$fetch" >/dev/null
there .deps/libtorch/{torch/lib/lib{torch_cpu,c10}.so,nvidia/cu13/lib/lib{cudart,cupti}.so.13,torch-2.11.0.dist-info}
gone .deps/libtorch/{torch/nn,torch/include/fmt,torch/lib/lib{torch_cuda,c10_cuda,torch_python}.so,nvidia/nccl,nvidia/cu13/lib/libcublas.so.13}
! grep -q 'libtorch-cuda.txt' arguments || fail "asks for the CUDA wheels: $(cat arguments)"
grep -q -- '--require-hashes' arguments || fail "no hashes: $(cat arguments)"

"$fetch" --keep-cuda cuda >/dev/null
there cuda/{torch/lib/lib{torch_cpu,torch_cuda,c10,c10_cuda}.so,nvidia/nccl/lib/libnccl.so.2,nvidia/cu13/lib/libcublas.so.13}
gone cuda/torch/{nn,include/fmt,lib/libtorch_python.so}
grep -q 'requirements-libtorch.txt .*requirements-libtorch-cuda.txt' arguments || fail "asks for: $(cat arguments)"

for arguments in "cuda" "--all" "a b"; do
  rc=0
  # shellcheck disable=SC2086  # words are meant
  text=$("$fetch" $arguments 2>&1) || rc=$?
  [[ $rc == 2 && -n $text ]] || fail "exit code $rc for '$arguments': $text"
done
gone a b
echo "fetching LibTorch: as expected"
