"""What a machine needs before gridmap runs on it. Standard library only: this runs before anything is installed."""
