"""What is installed on Ganeti nodes: event daemon, progress monitor, OS definition. Free of Django."""
