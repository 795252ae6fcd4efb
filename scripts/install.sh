#!/bin/sh
# Installs what Caudal needs from the npm registry, and the Node 24 that runs it.
#
#   sh scripts/install.sh production   what running needs (default)
#   sh scripts/install.sh all          also what testing and checking need
#
# Quiet, and quick when nothing has changed: a stamp keeps the checksum of the lock file.
set -eu
cd "$(dirname "$0")/.."

mode=${1:-production}
case $mode in
  production) omit=--omit=dev ;;
  all) omit= ;;
  *) echo "usage: sh scripts/install.sh [production|all]" >&2; exit 2 ;;
esac

stamp=node_modules/.caudal-install
sum=$(cat package.json package-lock.json console/package.json 2>/dev/null | cksum)
node=node_modules/.bin/node

is24() {
  [ -x "$1" ] && case $("$1" --version 2>/dev/null) in v24.*) true ;; *) false ;; esac
}

# What "all" installed serves "production" too.
installed() {
  [ -f "$stamp" ] && is24 "$node" && case $(cat "$stamp") in
    "all $sum") true ;;
    "$mode $sum") true ;;
    *) false ;;
  esac
}

if installed; then exit 0; fi

if ! command -v npm >/dev/null 2>&1; then
  echo "npm is needed once, to install Caudal; it comes with Node.js (https://nodejs.org)." >&2
  exit 1
fi

echo "→ installing packages ($mode)"
# shellcheck disable=SC2086
if ! npm ci $omit --no-audit --no-fund --loglevel=error; then
  echo "npm ci failed: see above. Is the npm registry reachable?" >&2
  exit 1
fi

# The package `node` fetches its program in an install script, which some npm refuse to run;
# then the program's own package is installed apart and linked to where the other would be.
if ! is24 "$node"; then
  version=$(sed -n 's/^ *"node": "\(24[^"]*\)".*/\1/p' package.json | head -n 1)
  system=$(uname -s | tr '[:upper:]' '[:lower:]')
  case $(uname -m) in
    x86_64 | amd64) arch=x64 ;;
    aarch64 | arm64) arch=arm64 ;;
    armv7l) arch=armv7l ;;
    *) arch=$(uname -m) ;;
  esac
  prefix=node
  if [ "$system-$arch" = darwin-arm64 ]; then prefix=node-bin; fi
  package=$prefix-$system-$arch
  echo "→ installing Node $version ($package)"
  mkdir -p .runtime
  npm install --prefix .runtime --no-save --no-package-lock --no-audit --no-fund --loglevel=error "$package@$version"
  mkdir -p node_modules/node/bin node_modules/.bin
  ln -sf ../../../.runtime/node_modules/"$package"/bin/node node_modules/node/bin/node
  ln -sf ../node/bin/node "$node"
fi

if ! is24 "$node"; then
  echo "Node 24 could not be installed: $node says $("$node" --version 2>&1 || true)." >&2
  exit 1
fi
echo "$mode $sum" >"$stamp"
