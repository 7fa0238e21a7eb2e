#!/usr/bin/env bash
# Starts an export, watches it and downloads its CSV, without any lemlist credential.
#
#   ./curl.sh http://localhost:8080 cam_SandboxCampaign01 export.csv
set -euo pipefail
gateway=$1 campaign=$2 file=$3

# A second request with the same key gives the same export. When the answer gets lost, repeat the
# request with this key: no second export starts.
key="curl-$(date +%s)-$$"
started=$(curl -fsS -X POST -H "Idempotency-Key: $key" "$gateway/campaigns/$campaign/export/start")
export=$(sed -E 's/.*"id":"([^"]+)".*/\1/' <<<"$started")
echo "started $export"

# Shows every change as it happens, until the export is over. The gateway may cut a stream before
# its end. Then the loop asks for the stream again.
until curl -fsSN "$gateway/campaigns/$campaign/export/$export/events" | tee >(cat >&2) | grep '^event: end' >/dev/null; do
  sleep 3
done

# With -f, curl reports a problem as an error and does not save it. A transfer that breaks off is an
# error, too.
curl -fsS -o "$file" "$gateway/campaigns/$campaign/export/$export/file"
echo "saved $file"
