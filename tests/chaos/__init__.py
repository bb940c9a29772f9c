"""Random operations by several users while the deployment's processes are killed; then all must agree."""
