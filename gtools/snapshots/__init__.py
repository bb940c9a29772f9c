"""``snf-snapshot-agent``: copies disks of this node's instances into the object store (volume contract 9)."""
