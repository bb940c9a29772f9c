"""The network dialect (network contract)."""
