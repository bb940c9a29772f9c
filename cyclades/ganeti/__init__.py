"""Everything that speaks to Ganeti: names, requests, placement, job submission and repair."""
