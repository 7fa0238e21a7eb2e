#!/usr/bin/env python3
"""Starts an export, watches it and downloads its CSV. Needs no package.

    python3 python.py http://localhost:8080 cam_SandboxCampaign01 export.csv
"""
import json, shutil, sys, time, uuid
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import Request, urlopen

gateway, campaign, file = sys.argv[1:]
base = f"{gateway}/campaigns/{campaign}/export"


def watch(url):
    """Yields the name and the data of each event, until `end`. A cut stream is asked for again."""
    event, data, wait = "", "", 3
    while True:
        try:
            # A quiet stream has a line every 15 seconds.
            for line in urlopen(url, timeout=45):
                field, _, value = line.decode().rstrip("\n").partition(": ")
                if field == "event": event = value
                if field == "data": data += value
                if field == "retry": wait = int(value) / 1000
                if field == "" and data:
                    yield event, json.loads(data)
                    if event == "end": return
                    event = data = ""
        except HTTPError as refused:
            if refused.code < 500: raise
        except (OSError, HTTPException):
            pass  # The connection broke.
        event = data = ""
        time.sleep(wait)


try:
    # Another request with the same key would start no second export.
    start = Request(f"{base}/start", method="POST", headers={"Idempotency-Key": str(uuid.uuid4())})
    export = f"{base}/{json.load(urlopen(start, timeout=30))['id']}"
    for event, data in watch(f"{export}/events"):
        if event == "status": print(data["status"]["status"], flush=True)
        if event == "problem": print("going on:", data["detail"], flush=True)
    with urlopen(f"{export}/file", timeout=30) as csv, open(file, "wb") as saved:
        shutil.copyfileobj(csv, saved)
    print("saved", file)
except HTTPError as refused:
    sys.exit(refused.read().decode())
