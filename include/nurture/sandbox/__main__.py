"""Start the sandbox: `python -m nurture.sandbox --home DIR --port P --receiver-url URL`."""

import argparse
import os
from pathlib import Path

import uvicorn

from nurture.sandbox.app import Settings, create_app
from nurture.sandbox.sendgrid_api import Account


def main() -> None:
    """Serve on 127.0.0.1 until told to stop. Keys come from the environment."""
    parser = argparse.ArgumentParser(prog="python -m nurture.sandbox", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="folder of its store")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--receiver-url", help="where webhooks, visits and replies go; without it nothing is told")
    parser.add_argument("--seed", type=int, default=1, help="decides how everybody behaves")
    parser.add_argument("--private-key", type=Path, help="PEM of the webhook key (default: made once in the home)")
    parser.add_argument("--at-rest", action="store_true", help="hold everything that is due")
    parser.add_argument("--verified-domain", action="append", default=[], help="may send (default: reserved domains)")
    given = parser.parse_args()
    os.umask(0o077)  # the store holds addresses: for its owner's eyes
    settings = Settings(
        home=given.home,
        receiver_url=given.receiver_url,
        seed=given.seed,
        private_key=given.private_key,
        is_at_rest=given.at_rest,
        tracking_key=os.environ.get("NURTURE_TRACKING_KEY", ""),
        account=Account(
            api_key=os.environ.get("SENDGRID_API_KEY") or None,
            verified_domains=frozenset(domain.lower() for domain in given.verified_domain),
        ),
        crm_token=os.environ.get("NURTURE_CRM_TOKEN") or None,
    )
    uvicorn.run(
        create_app(settings),
        host="127.0.0.1",
        port=given.port,
        loop="asyncio",
        ws="none",
        log_level="warning",
        access_log=False,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=3,
    )


if __name__ == "__main__":
    main()
