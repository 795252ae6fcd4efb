#!/bin/sh
# A registry of people: a dataset with a public form and a private photo, eight registrations, one of them wrong, what
# became of them, a report by city and a chart that equals it. Needs curl and jq, and a running Caudal: `make run`, then `make example-registry`.
set -eu

data=${CAUDAL_DATA_DIR:-$(dirname "$0")/../.caudal}
admin=$data/admin.json
[ -r "$admin" ] || { echo "there is no $admin: start Caudal first, or set CAUDAL_DATA_DIR" >&2; exit 1; }
url=$(jq -r .url "$admin")
token=$(jq -r .token "$admin")
api() { curl -sS --fail-with-body -H "Authorization: Bearer $token" "$@"; }
json() { api -H 'Content-Type: application/json' "$@"; }

target=${1:-$data/examples}
mkdir -p "$target"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# A photo of 48 × 30 pixels whose EXIF says "taken at home".
base64 -d >"$work/id.jpg" <<'PHOTO'
/9j/4QDWRXhpZgAASUkqAAgAAAAHAA4BAgAOAAAAcgAAABIBAwABAAAAAQAAABoBBQABAAAAYgAAABsBBQABAAAAagAAACgBAwABAAAAAgAAABMC
AwABAAAAAQAAAGmHBAABAAAAgAAAAAAAAAA4YwAA6AMAADhjAADoAwAAdGFrZW4gYXQgaG9tZQAGAACQBwAEAAAAMDIxMAGRBwAEAAAAAQIDAACg
BwAEAAAAMDEwMAGgAwABAAAA//8AAAKgBAABAAAAMAAAAAOgBAABAAAAHgAAAAAAAAD/2wBDABQODxIPDRQSEBIXFRQYHjIhHhwcHj0sLiQySUBM
S0dARkVQWnNiUFVtVkVGZIhlbXd7gYKBTmCNl4x9lnN+gXz/2wBDARUXFx4aHjshITt8U0ZTfHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8
fHx8fHx8fHx8fHx8fHx8fHx8fHz/wAARCAAeADADASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAX/xAAUEAEAAAAAAAAAAAAAAAAAAAAA
/8QAFgEBAQEAAAAAAAAAAAAAAAAAAAQF/8QAFBEBAAAAAAAAAAAAAAAAAAAAAP/aAAwDAQACEQMRAD8AmgLWWAAAAAAAAAA//9k=
PHOTO

echo "→ a dataset with a key, a photo and a public form"
json -X DELETE "$url/datasets/registrations" -o "$work/deleted" 2>"$work/absent" || true
json "$url/datasets" -o "$work/dataset.json" -d '{
  "name": "registrations", "key": ["national_id"],
  "columns": [
    {"name": "name", "type": "text", "required": true},
    {"name": "national_id", "type": "text", "required": true, "pattern": "[0-9]{6,10}"},
    {"name": "city", "type": "text", "required": true},
    {"name": "id_photo", "type": "file", "required": true, "accept": ["image/jpeg", "image/png"], "max_bytes": 5000000}
  ],
  "form": {
    "public": true,
    "title": {"en": "Vaccination registry", "es": "Registro de vacunación"},
    "intro": {"en": "It takes two minutes.", "es": "Toma dos minutos."},
    "labels": {
      "name": {"en": "Full name", "es": "Nombre completo"}, "national_id": {"en": "National id", "es": "Cédula"},
      "city": {"en": "City", "es": "Ciudad"}, "id_photo": {"en": "Photo of your id", "es": "Foto de tu cédula"}
    }
  }
}'
form=$url$(jq -r .form.url "$work/dataset.json")

echo "→ eight people, as the form sends them"
register() {
  api -o "$work/receipt.json" "$form" -F "name=$1" -F "national_id=$2" -F "city=$3" -F "id_photo=@$work/id.jpg" 2>"$work/refusal" &&
    jq -r --arg name "$1" '"  \($name): receipt \(.id)"' "$work/receipt.json"
}
register 'Ana Rojas' 1020304 'Bogotá'
register 'Beto Díaz' 1020305 'bogota'
register 'Carla Pérez' 1020306 'Pasto'
register 'Dora Ruiz' 1020307 'PASTO'
register 'Elías Gil' 1020308 'Cali'
register 'Flor Mora' 1020309 'Cali'
register 'Gil Ortiz' 1020310 'Cali'
register 'Hugo Sáenz' 12x 'Cali' || jq -r '.errors[] | "  Hugo Sáenz: \(.field) \(.message)"' "$work/receipt.json"

echo "→ what can be read"
rows=0
while [ "$rows" -lt 7 ]; do
  sleep 0.2
  api "$url/datasets/registrations/rows" -o "$work/rows.json"
  rows=$(jq '.rows | length' "$work/rows.json")
done
jq -r '.rows[] | "  \(.name), \(.city), photo \(.id_photo)"' "$work/rows.json"

echo "→ a photo: private, and without what was beside the picture"
photo=$url/files/$(jq -r '.rows[0].id_photo' "$work/rows.json")/content
curl -sS -o "$work/refused" -w '  to anybody: %{http_code}\n' "$photo"
api -L "$photo" -o "$work/kept.jpg" -w '  to the owner: %{http_code}, %{size_download} bytes, %{content_type}\n'
grep -q 'taken at home' "$work/kept.jpg" && echo "  EXIF is still there" || echo "  EXIF is gone"

echo "→ a report by city, and the chart of the same numbers"
api -o "$target/registrations.xlsx" "$url/datasets/registrations/report.xlsx?group_by=city"
echo "  written: $target/registrations.xlsx"
api "$url/datasets/registrations/chart.json?x=city" | jq -r '.points[] | "  \(.label): \(.y)"'
api -o "$target/registrations.svg" "$url/datasets/registrations/chart.svg?x=city"
echo "  drawn: $target/registrations.svg"
echo "  live: $url/datasets/registrations/chart.svg?x=city (with a token)"

echo "→ fill it in yourself: $form"
