#!/usr/bin/env bash
# Puts the pinned Bun and Deno into .tools/bin of this checkout, from npm packages; nothing is
# installed system-wide. Needs npm, or a Bun of any version that is already on the PATH.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bun_version=1.4.5
deno_version=2.9.6
stamp=.tools/.installed-bun-$bun_version-deno-$deno_version
[ -e "$stamp" ] && exit 0

rm -rf .tools
mkdir -p .tools/bin
if command -v npm >/dev/null; then
  npm install --prefix .tools --no-audit --no-fund --no-save --loglevel=error \
    "bun@$bun_version" "deno@$deno_version" >&2
elif command -v bun >/dev/null; then
  (cd .tools && echo '{}' >package.json && bun add --exact "bun@$bun_version" "deno@$deno_version" >&2)
else
  echo "setup: neither npm nor bun was found; install Node.js with npm, or Bun, and run make again" >&2
  exit 1
fi

# The packages hold the executables of several C libraries; the first that runs here is linked.
# (npm's own links start Deno through Node, which a machine with only Bun does not have.)
link_first_that_runs() {
  local name=$1 candidate
  shift
  for candidate in "$@"; do
    if [ -x "$candidate" ] && "$candidate" --version >/dev/null 2>&1; then
      ln -sf "../../$candidate" ".tools/bin/$name"
      return
    fi
  done
  echo "setup: the npm package of $name holds no executable for this machine ($(uname -sm))" >&2
  exit 1
}
link_first_that_runs bun .tools/node_modules/@oven/*/bin/bun .tools/node_modules/bun/bin/bun.exe
link_first_that_runs deno .tools/node_modules/@deno/*/deno
touch "$stamp"
