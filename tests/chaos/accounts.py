"""Make users of a cloud: ``python -m tests.chaos.accounts COUNT`` prints their ids and tokens as JSON."""

from __future__ import annotations

import json
import secrets
import sys

import django


def main() -> None:
    """Make them."""
    django.setup()
    from astakos.public import create_user

    made = []
    for number in range(int(sys.argv[1])):
        email = f"chaos-{number}-{secrets.token_hex(3)}@lab.example"
        user = create_user(
            email=email, password=secrets.token_urlsafe(12), first_name="Chaos", last_name=str(number)
        )
        made.append({"uuid": user.uuid, "token": user.token})
    print(json.dumps(made))


if __name__ == "__main__":
    main()
