#!/bin/sh
# Everything with restarts on changes: the server under `node --watch`, the console through Vite.
set -eu
cd "$(dirname "$0")/.."
export PATH="$PWD/node_modules/.bin:$PATH"
echo "→ console with reloads on http://localhost:5173, gateway on http://localhost:${CAUDAL_PORT:-5050}"
(cd console && exec node ../node_modules/vite/bin/vite.js --clearScreen false) &
vite=$!
trap 'kill "$vite" 2>/dev/null || true' EXIT INT TERM
node --watch-path=src --watch-preserve-output src/main.ts up
