#!/bin/sh
# Signs in with admin.json, uploads a small CSV, waits for its table and asks it something.
# Needs curl and jq, and a running Caudal: `make run`, then `sh examples/quickstart.sh`.
set -eu

data=${CAUDAL_DATA_DIR:-$(dirname "$0")/../.caudal}
admin=$data/admin.json
[ -r "$admin" ] || { echo "there is no $admin: start Caudal first, or set CAUDAL_DATA_DIR" >&2; exit 1; }
url=$(jq -r .url "$admin")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

jwt=$(jq '{email, password}' "$admin" | curl -sS --fail-with-body "$url/auth/login" -H 'Content-Type: application/json' -d @- | jq -r .token)
api() { curl -sS --fail-with-body -H "Authorization: Bearer $jwt" -H 'Content-Type: application/json' "$@"; }

cat >"$work/quickstart.csv" <<'CSV'
city;day;amount
Pasto;03/01/2024;1.120,50
Cali;03/01/2024;80,00
Pasto;04/01/2024;99,90
Cali;04/01/2024;one field;too many
CSV
size=$(wc -c <"$work/quickstart.csv" | tr -d ' ')

echo "→ upload"
api "$url/uploads" -d "{\"filename\": \"quickstart.csv\", \"size\": $size, \"dataset\": \"quickstart\", \"load\": {\"mode\": \"replace\"}}" >"$work/upload.json"
part=$(jq -r '.urls[0].url' "$work/upload.json")
case $part in /*) part=$url$part ;; esac
etag=$(curl -sS --fail-with-body -T "$work/quickstart.csv" -o /dev/null -D - "$part" | tr -d '\r' | sed -n 's/^[Ee][Tt]ag: //p')
api "$url/uploads/$(jq -r .upload_id "$work/upload.json")/complete" \
  -d "{\"parts\": [{\"part_number\": 1, \"etag\": $(printf %s "$etag" | jq -R .)}]}" >"$work/complete.json"

echo "→ load"
api -N "$url/tasks/$(jq -r .task.id "$work/complete.json")/events" | sed -n 's/^data: //p' | tail -n 1 | jq -r .status
api "$url/files/$(jq -r .file.id "$work/complete.json")" |
  jq -r '"read \(.accounting.read) = accepted \(.accounting.accepted) + quarantined \(.accounting.quarantined) + duplicates \(.accounting.duplicates)\ntrace \(.trace_id)"'

echo "→ what did not fit"
api "$url/datasets/quickstart/quarantine?limit=1" | jq -r '.items[] | "line \(.line): \(.reason)"'

echo "→ SQL"
api "$url/sql.csv" -d '{"query": "SELECT city, count(*) AS n, sum(amount) AS total FROM quickstart GROUP BY city ORDER BY total DESC"}'
