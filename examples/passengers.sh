#!/bin/sh
# A table of passengers as an API for somebody outside: uploaded as CSV, published as an endpoint that answers column by column,
# read with a token that can do nothing else; then a chart of it. Needs curl and jq, and a running Caudal: `make run`,
# then `make example-passengers`.
set -eu

data=${CAUDAL_DATA_DIR:-$(dirname "$0")/../.caudal}
admin=$data/admin.json
[ -r "$admin" ] || { echo "there is no $admin: start Caudal first, or set CAUDAL_DATA_DIR" >&2; exit 1; }
url=$(jq -r .url "$admin")
token=$(jq -r .token "$admin")
api() { curl -sS --fail-with-body -H "Authorization: Bearer $token" -H 'Content-Type: application/json' "$@"; }

target=${1:-$data/examples}
mkdir -p "$target"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Twenty passengers on three flights; home towns as people type them.
awk 'BEGIN {
  split("Juan Perez,Ana Rojas,Beto Diaz,Carla Gil,Dora Ruiz", name, ","); split("A,B,C,D", seat, ",")
  split("Bogotá,bogota,BOGOTÁ ,Cali,cali,Pasto", home, ",")
  print "passenger_id,flight_id,name,seat_number,home"
  for (i = 0; i < 20; i++)
    printf "%d,%d,%s,%d%s,%s\n", i + 1, 100 + i % 3, name[1 + i % 5] (i < 5 ? "" : " " int(i / 5) + 1), 1 + int(i / 4), seat[1 + i % 4], home[1 + i % 6]
}' >"$work/passengers.csv"

echo "→ upload and load $(($(wc -l <"$work/passengers.csv") - 1)) passengers"
api "$url/uploads" -d "{\"filename\": \"passengers.csv\", \"size\": $(wc -c <"$work/passengers.csv" | tr -d ' '), \"dataset\": \"passengers\", \"load\": {\"mode\": \"replace\"}}" >"$work/upload.json"
part=$(jq -r '.urls[0].url' "$work/upload.json")
case $part in /*) part=$url$part ;; esac
etag=$(curl -sS --fail-with-body -T "$work/passengers.csv" -o "$work/answer" -D - "$part" | tr -d '\r' | sed -n 's/^[Ee][Tt]ag: //p')
api "$url/uploads/$(jq -r .upload_id "$work/upload.json")/complete" \
  -d "{\"parts\": [{\"part_number\": 1, \"etag\": $(printf %s "$etag" | jq -R .)}]}" >"$work/complete.json"
api -N "$url/tasks/$(jq -r .task.id "$work/complete.json")/events" | sed -n 's/^data: //p' | tail -n 1 | jq -r '"  \(.status)"'

echo "→ published as an endpoint, column by column"
api -X PUT "$url/endpoints/passengers" -o "$work/endpoint.json" -d '{
  "description": "Who flies, and where they sit",
  "query": "SELECT passenger_id, flight_id, name, seat_number FROM passengers WHERE flight_id = coalesce($flight, flight_id) ORDER BY passenger_id",
  "parameters": [{"name": "flight", "type": "integer", "description": "Only this flight"}],
  "orient": "columns"
}'
jq -r '"  version \(.version), \(.url)"' "$work/endpoint.json"

echo "→ a third party's token, and what it reads with it"
api "$url/tokens" -d '{"name": "third party", "scopes": ["endpoints:read:passengers"]}' >"$work/token.json"
third=$(jq -r .token "$work/token.json")
curl -sS --fail-with-body -H "Authorization: Bearer $third" "$url/endpoints/passengers?flight=101" | jq -c .
curl -sS --fail-with-body -H "Authorization: Bearer $third" "$url/endpoints/passengers.csv?flight=101&limit=2"
for path in "datasets/passengers/rows" "files" "endpoints/other"; do
  curl -sS -o "$work/refused" -w "  GET /$path: %{http_code}\n" -H "Authorization: Bearer $third" "$url/$path"
done

echo "→ where they are from: texts that differ by accents, case and blanks are one group"
api "$url/datasets/passengers/chart.json?x=home" | jq -r '.points[] | "  \(.label): \(.y)"'
api -o "$target/passengers.svg" "$url/datasets/passengers/chart.svg?x=home"
echo "  drawn: $target/passengers.svg"

api -X DELETE "$url/tokens/$(jq -r .id "$work/token.json")" -o "$work/revoked"
echo "→ the third party's token is revoked; the endpoint stays: $url/endpoints/passengers"
