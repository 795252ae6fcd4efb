#!/bin/sh
# Builds the console when its sources are newer than what was built.
set -eu
cd "$(dirname "$0")/.."
stamp=console/dist/.built
if [ -f "$stamp" ] && [ -z "$(find console/src console/index.html console/package.json console/vite.config.ts src/contract package-lock.json -newer "$stamp" 2>/dev/null | head -n 1)" ]; then
  exit 0
fi
echo "→ building the console"
(cd console && ../node_modules/.bin/node ../node_modules/vite/bin/vite.js build --logLevel warn)
touch "$stamp"
