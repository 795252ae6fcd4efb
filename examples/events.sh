#!/bin/sh
# Publishes records to a topic, one and many, and reads them back: from the table, with their source, and
# followed to the trace of the request that brought them.
# Needs curl and jq, and a running Caudal: `make run`, then `make example-events`.
set -eu

data=${CAUDAL_DATA_DIR:-$(dirname "$0")/../.caudal}
admin=$data/admin.json
[ -r "$admin" ] || { echo "there is no $admin: start Caudal first, or set CAUDAL_DATA_DIR" >&2; exit 1; }
url=$(jq -r .url "$admin")
jwt=$(jq '{email, password}' "$admin" | curl -sS --fail-with-body "$url/auth/login" -H 'Content-Type: application/json' -d @- | jq -r .token)
api() { curl -sS --fail-with-body -H "Authorization: Bearer $jwt" "$@"; }

topic=signups

echo "→ one record, published and waited for"
api "$url/topics/$topic/events?wait=true" -H 'Content-Type: application/json' -H "Idempotency-Key: $(date +%s)-one" \
  -d '{"name": "Ana María", "email": "ana@example.org"}' | jq -c .

echo "→ a thousand more, one per line, packed"
i=0
while [ $i -lt 1000 ]; do
  i=$((i + 1))
  echo "{\"name\": \"Person $i\", \"email\": \"person$i@example.org\"}"
done | gzip | api "$url/topics/$topic/events?wait=true" -H 'Content-Type: application/x-ndjson' \
  -H 'Content-Encoding: gzip' --data-binary @- | jq -c .

echo "→ a malformed record is told which field is wrong"
curl -sS -H "Authorization: Bearer $jwt" -H 'Content-Type: application/json' "$url/topics/$topic/events" \
  -d '{"name": "Luis", "email": luis}' | jq -c '{status, code, errors}'

echo "→ read back"
api "$url/datasets/$topic/rows?where\[name\]=Ana%20Mar%C3%ADa&order=-_line&limit=1&include=source" | jq -c '.rows[]'

echo "→ row, source, trace: one join"
api "$url/sql.csv" -H 'Content-Type: application/json' \
  -d "{\"query\": \"SELECT s.trace_id, s.accepted, count(*) AS rows FROM $topic r JOIN sources s ON s.id = r._source GROUP BY ALL ORDER BY rows DESC LIMIT 2\"}"

echo "→ the topic"
api "$url/topics/$topic" | jq -c '{events, rate: .rate.events, backlog: [.subscriptions[] | {dataset, backlog}]}'
