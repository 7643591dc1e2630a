#!/usr/bin/env python3
"""A source of sync-engine in one file: the lines of a file are its rows. Rows are appended, so the state is how many were read."""
import json, os, sys, time

KIND = {"type": "object", "properties": {key: {"type": kind} for key, kind in
        [("line", "integer"), ("text", "string"), ("read_at", "integer")]}}
SPEC = {"config": {"type": "object", "required": ["path"], "properties": {"path": {"type": "string"}}}}
STREAM = {"name": "notes", "primary_key": [["line"]], "newer_than_field": "read_at", "json_schema": KIND}

def say(kind, **payload):
    print(json.dumps({"type": kind, kind: payload}), flush=True)

def flag(name, missing=None):
    for at, word in enumerate(sys.argv):
        given = word.partition("=")[2] if word.startswith(name + "=") else sys.argv[at + 1] if word == name else ""
        try:
            if given:
                return json.loads(given if given.strip()[0] in "{[" else open(given).read())
        except (OSError, ValueError) as error:
            sys.exit(f"{name}: {error}")
    return missing if missing is not None else sys.exit(f"Missing required argument: {name}")

def read(path, catalog, state):
    names = [entry["stream"]["name"] for entry in catalog["streams"]]
    if "notes" not in names:
        return
    done = state.get("streams", state).get("notes", {}).get("lines", 0)
    say("stream_status", stream="notes", status="start")
    now = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    for number, text in enumerate(open(path, encoding="utf-8"), 1):
        if not text.endswith("\n"):
            break  # It is still being written.
        if number > done:
            say("record", stream="notes", data={"line": number, "text": text[:-1], "read_at": int(now)}, emitted_at=stamp)
            say("source_state", state_type="stream", stream="notes", data={"lines": number})  # what was emitted before it
    say("stream_status", stream="notes", status="complete")

command = sys.argv[1] if len(sys.argv) > 1 else sys.exit("No command specified.")
if command == "spec":
    say("spec", **SPEC)
elif command in ("check", "discover", "read"):
    path = flag("--config").get("path")
    readable = isinstance(path, str) and os.access(path, os.R_OK)
    if command == "check":
        say("connection_status", **({"status": "succeeded"} if readable else {"status": "failed", "message": f"`path`: {path!r} cannot be read"}))
    elif command == "discover":
        say("catalog", streams=[STREAM])
    else:
        read(path, flag("--catalog"), flag("--state", {}))
else:
    sys.exit(f"Unknown command {command}")
