"""Hooks for `scripts/schemathesis service`: most requests are about pipelines that exist, and end soon.

What is random would name pipelines that do not exist, follow logs for ever, and revoke the token that asks. SERVICE_URL, SERVICE_TOKEN
and SIMULATOR_URL say where everything is; KEY is the simulated account's.
"""

import hashlib
import hmac
import itertools
import os
import time

import requests
import schemathesis

SERVICE = os.environ["SERVICE_URL"]
HEADERS = {"Authorization": "Bearer " + os.environ["SERVICE_TOKEN"]}
SECRET = "whsec_schemathesis"
IDS = ["shop", "branch"]
turn = itertools.count()


def pipeline(name):
    """A small pipeline of the simulated account, into a file in the service's own folder."""
    stripe = {
        "api_key": os.environ["KEY"],
        "base_url": os.environ["SIMULATOR_URL"],
        "webhook_secret": SECRET,
        "rate_limit": 1000,
        "endpoint_rate_limit": 1000,
    }
    path = os.path.join(os.environ["DATA_DIR"], "databases", name + ".db")
    return {
        "id": name,
        "source": {"type": "stripe", "stripe": stripe},
        "destination": {"type": "sqlite", "sqlite": {"path": path}},
        "streams": [{"name": "customer"}, {"name": "product"}],
    }


def ask(method, path, **more):
    return requests.request(method, SERVICE + path, headers=HEADERS, timeout=30, **more)


class Signed(requests.auth.AuthBase):
    """Signs the body as Stripe does."""

    def __call__(self, request):
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        now = str(int(time.time()))
        digest = hmac.new(SECRET.encode(), now.encode() + b"." + body, hashlib.sha256).hexdigest()
        request.headers["Stripe-Signature"] = f"t={now},v1={digest}"
        return request


@schemathesis.hook
def before_call(context, case, kwargs):
    path, number = case.operation.path, next(turn)
    # Whoever asks with wrong tokens is not listened to for a minute; that is tested elsewhere.
    case.headers.update(HEADERS)
    # Some requests stay as random as they are.
    is_random = number % 5 == 0
    if path.startswith("/pipelines/{id}") and not is_random:
        name = IDS[number % len(IDS)]
        case.path_parameters["id"] = name
        # One that was deleted is there again; while it is being removed this is refused, which is as good.
        ask("POST", "/pipelines?skip_check=true", json=pipeline(name))
    elif path == "/webhooks/{pipeline_id}" and not is_random:
        case.path_parameters["pipeline_id"] = IDS[0]
        ask("POST", "/pipelines?skip_check=true", json=pipeline(IDS[0]))
        kwargs["auth"] = Signed()
    elif path == "/tokens/{id}" and not is_random:
        case.path_parameters["id"] = ask("POST", "/tokens", json={"name": "to be revoked"}).json()["id"]
    query = case.query if isinstance(case.query, dict) else {}
    # Waiting is for tests that know what comes.
    if path.endswith("/logs"):
        query.pop("follow", None)
    if path.endswith("/wait") and query:
        query["timeout"] = 0
