"""The Keystone v3 dialect: what today's OpenStack clients speak, over the same use cases as v2.0."""
