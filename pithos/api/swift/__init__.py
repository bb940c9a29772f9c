"""Swift's dialect: the same data at ``/v1/AUTH_<account>``, as OpenStack's clients expect it."""
