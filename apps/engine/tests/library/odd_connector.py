"""A source and a destination that keep to the contract, but for some defects: odd.py source|destination DEFECTS, then the words."""
import json, sqlite3, sys, time

role, defects, *words = sys.argv[1:]
defects = defects.split(",")


def say(kind, **payload):
    print(json.dumps({"type": kind, kind: payload}), flush=True)


def refuse(text):
    if "words on stdout" in defects:
        print("usage: source [spec|check|discover|read]")
    sys.exit(1 if "silent refusal" in defects else text)


def flag(name, default=None):
    given = None
    for at, word in enumerate(words):
        if word == name:
            given = words[at + 1]
        elif word.startswith(name + "="):
            given = word[len(name) + 1:]
    if given is None:
        return default if default is not None else refuse(f"Missing required argument: {name}")
    try:
        return json.loads(given if given.strip()[0] in "{[" else open(given).read())
    except (OSError, ValueError) as error:
        refuse(f"{name}: {error}")


SCHEMA = {"type": "object", "required": ["works"], "properties": {
    "works": {"type": "boolean"}, "file": {"type": "string"}}}


def stream(name):
    return {"name": name, "primary_key": [["id"]], "newer_than_field": "at"}


def discover():
    names = ["apples", "pears"]
    if "two streams of one name" in defects:
        names = ["apples", "apples"]
    if "another catalog each time" in defects:
        names.append(f"s{time.time_ns()}")
    say("catalog", streams=[stream(name) for name in names])


def read():
    state = flag("--state", {})
    streams = state.get("streams", {}) if "state of one form" in defects else state.get("streams", state)
    names = [one["stream"]["name"] for one in flag("--catalog")["streams"]]
    for name in ["apples", "pears"] if "reads everything" in defects else names:
        if "no start" not in defects:
            say("stream_status", stream=name, status="start")
        done = 0 if "forgets its state" in defects else streams.get(name, 0)
        for at in range(done + 1, 13):
            data = {"id": at, "at": "today" if "versions in words" in defects else 5}
            if "records without key" in defects:
                del data["id"]
            say("record", stream=name, data=data, emitted_at="2026-01-01T00:00:00Z")
            ahead = 1 if "state ahead" in defects and at < 12 else 0
            if "no states" not in defects:
                say("source_state", state_type="stream", stream=name, data=at + ahead)
        if "speaks as an engine" in defects:
            say("source_input", a=1)
        if "never completes" not in defects:
            say("stream_status", stream=name, status="complete")
    if "exits with 1" in defects:
        sys.exit("it fails")


def table(config):
    store = sqlite3.connect(config["file"])
    store.execute("create table if not exists rows (stream, id, version integer, note, gone, primary key (stream, id))")
    return store


def put(store, record):
    data = record["data"]
    new = "" if "last write wins" in defects else "where excluded.version > version or (excluded.version = version and gone = 0)"
    gone = record.get("recordDeleted", False)
    if gone and "keeps no tombstones" in defects:
        return store.execute("delete from rows where stream = ? and id = ?", (record["stream"], data["id"]))
    if gone:
        new = "where excluded.version >= version"
    store.execute(
        "insert into rows values (?, ?, ?, ?, ?) on conflict (stream, id) do update set "
        f"version = excluded.version, note = excluded.note, gone = excluded.gone {new}",
        (record["stream"], data["id"], data["_updated_at"], data.get("note"), gone))


def write():
    flag("--catalog")
    store = table(flag("--config"))
    failed, later = set(), []
    if "says something at first" in defects:
        say("stream_status", stream="x", status="start")
    for line in sys.stdin:
        if not line.strip():
            continue
        try:
            message = json.loads(line)
            kind = message["type"]
        except ValueError as error:
            if "ignores garbage" in defects:
                continue
            sys.exit(f"stdin: {error}")
        payload = message[kind]
        name = payload.get("stream")
        if name in failed or (failed and kind == "source_state" and name is None):
            continue
        if kind == "record":
            if "id" not in payload["data"]:
                if "stops at a bad record" in defects:
                    sys.exit("a record without `id`")
                failed.add(name)
                say("stream_status", stream=name, status="error", error="a record without `id`")
                continue
            if "loses rows" not in defects or payload["data"]["id"] != "b":
                put(store, payload)
        elif "hands back before it stores" not in defects:
            store.commit()
        if "swallows states" in defects and kind == "source_state":
            continue
        if "turns the order" in defects:
            later.insert(0, line)
            continue
        sys.stdout.write(line)
        sys.stdout.flush()
    store.commit()
    sys.stdout.writelines(later)


if role == "rows":
    store = table({"file": words.pop(0)})
    for id, note in store.execute("select id, note from rows where stream = ? and gone = 0", (words[0],)):
        print(json.dumps({"id": id, "note": note}))
    sys.exit()
command = words[0] if words else refuse("No command specified.")
if command == "spec":
    say("spec", config={"type": "objekt"} if "spec without a schema" in defects else SCHEMA)
elif command == "check":
    config = flag("--config")
    works = config.get("works") is True and isinstance(config.get("file", ""), str)
    if works or "check always succeeds" in defects:
        say("connection_status", status="succeeded")
    else:
        say("connection_status", status="failed", message="it is broken")
elif command == "discover" and role == "source":
    flag("--config")
    discover()
elif command == "read" and role == "source":
    flag("--config")
    read()
elif command == "write" and role == "destination":
    write()
else:
    refuse(f"Unknown command {command}")
