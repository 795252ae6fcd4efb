#!/bin/sh
# A video of 45 seconds, made by ffmpeg, becomes three clips and a poster. Needs ffmpeg, curl and jq, and a running Caudal:
# `make run`, then `make example-video`. The clips are saved in ./clips (or the directory that is named).
set -eu

data=${CAUDAL_DATA_DIR:-$(dirname "$0")/../.caudal}
admin=$data/admin.json
[ -r "$admin" ] || { echo "there is no $admin: start Caudal first, or set CAUDAL_DATA_DIR" >&2; exit 1; }
url=$(jq -r .url "$admin")
token=$(jq -r .token "$admin")
api() { curl -sS --fail-with-body -H "Authorization: Bearer $token" -H 'Content-Type: application/json' "$@"; }

target=${1:-clips}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$target"

echo "→ a portrait video of 45 s"
ffmpeg -v error -f lavfi -i testsrc2=s=720x1280:r=30:d=45 -f lavfi -i sine=frequency=330:d=45:r=48000 \
  -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac "$work/holiday.mp4"

echo "→ upload"
size=$(wc -c <"$work/holiday.mp4" | tr -d ' ')
api "$url/uploads" -d "{\"filename\": \"holiday.mp4\", \"size\": $size, \"content_type\": \"video/mp4\"}" >"$work/upload.json"
jq -r '.urls[] | .url' "$work/upload.json" >"$work/urls"
part_size=$(jq -r .part_size "$work/upload.json")
n=0
: >"$work/parts"
while read -r part; do
  n=$((n + 1))
  case $part in /*) part=$url$part ;; esac
  dd if="$work/holiday.mp4" of="$work/part" bs="$part_size" skip=$((n - 1)) count=1 2>/dev/null
  etag=$(curl -sS --fail-with-body -T "$work/part" -o /dev/null -D - "$part" | tr -d '\r' | sed -n 's/^[Ee][Tt]ag: //p')
  jq -n --argjson n "$n" --arg etag "$etag" '{part_number: $n, etag: $etag}' >>"$work/parts"
done <"$work/urls"
jq -s '{parts: .}' "$work/parts" | api "$url/uploads/$(jq -r .upload_id "$work/upload.json")/complete" -d @- >"$work/complete.json"

echo "→ process"
api "$url/tasks" -d "{\"file_id\": $(jq .file.id "$work/complete.json")}" >"$work/task.json"
task=$(jq -r .id "$work/task.json")
api -N "$url/tasks/$task/events" | sed -n 's/^data: //p' | jq --unbuffered -r '"\(.status) \(.progress) %"'

api "$url/tasks/$task" >"$work/done.json"
if [ "$(jq -r .status "$work/done.json")" != succeeded ]; then
  jq -r '"the task \(.status): \(.error.code // "") \(.error.message // "") \(.error.hint // "")"' "$work/done.json" >&2
  exit 1
fi
echo "→ clips"
jq -r '.output.clips[] | "\(.url)  \(.duration) s, \(.width) × \(.height), source from \(.start) s"' "$work/done.json"
jq -r '.output | [.clips[].url] + [.poster_url] | .[]' "$work/done.json" | while read -r path; do
  name=$(api "$url${path%/content}" | jq -r .filename)
  curl -sSL --fail-with-body -H "Authorization: Bearer $token" -o "$target/$name" "$url$path"
  echo "saved $target/$name"
done
echo "→ how it came to be"
jq -r '.output.lineage[] | "\(.step)  \(.ms) ms"' "$work/done.json"
jq -r '"trace \(.trace_id)"' "$work/done.json"
