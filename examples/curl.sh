#!/usr/bin/env bash
# Starts an export, watches it and downloads its CSV, without any lemlist credential.
#
#   ./curl.sh http://localhost:8080 cam_SandboxCampaign01 export.csv
set -euo pipefail
gateway=$1 campaign=$2 file=$3

# A second request with the same key gives the same export. When the answer gets lost, repeat the
# request with this key: no second export starts.
key="curl-$(date +%s)-$$"
base="$gateway/campaigns/$campaign/export"
# The header Location names the status of the new export: axp_…/status.
location=$(curl -fsS -X POST -H "Idempotency-Key: $key" -o /dev/null -w '%header{location}' "$base/start")
export="$base/${location%/status}"
echo "started ${location%/status}"

# Shows every change as it happens, until the export is over. The gateway may cut a stream before
# its end. Then the loop asks for the stream again. A refusal (4xx) ends the script.
until
  said=$(curl -sSN --max-time 660 -w '\nHTTP %{http_code}' "$export/events" | tee >(cat >&2)) || true
  [[ $said == *$'\nevent: end'* ]]
do
  [[ $said == *$'\nHTTP 4'* ]] && exit 1
  sleep 3
done

# With -f, curl reports a problem as an error and does not save it. A transfer that breaks off is an
# error, too.
curl -fsS -o "$file" "$export/file"
echo "saved $file"
