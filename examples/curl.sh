#!/usr/bin/env bash
# Starts an export, watches it and downloads its CSV, without any lemlist credential.
#
#   ./curl.sh http://localhost:8080 cam_SandboxCampaign01 export.csv
set -euo pipefail
gateway=$1 campaign=$2 file=$3

# The same key sent again means the same export: when the answer gets lost, repeat this line and nothing starts twice.
key="curl-$(date +%s)-$$"
started=$(curl -fsS -X POST -H "Idempotency-Key: $key" "$gateway/campaigns/$campaign/export/start")
export=$(sed -E 's/.*"id":"([^"]+)".*/\1/' <<<"$started")
echo "started $export"

# Every change as it happens, until the export is over. A stream may be cut before its end: then it is asked for again.
until curl -fsSN "$gateway/campaigns/$campaign/export/$export/events" | tee >(cat >&2) | grep '^event: end' >/dev/null; do
  sleep 3
done

# -f makes a problem an error and not a file; a transfer that breaks off is an error, too.
curl -fsS -o "$file" "$gateway/campaigns/$campaign/export/$export/file"
echo "saved $file"
